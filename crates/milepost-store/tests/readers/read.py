"""Reads the operations of a store with other people's tools until it is told to stop: every look sees each event once.

Usage: read.py STORE STOP
"""

import pathlib
import sys

import duckdb
import pandas
from deltalake import DeltaTable


def look(store):
    """How many operations pandas and DuckDB see, and how many of them differ."""
    table = DeltaTable(store / "operations")
    frame = pandas.DataFrame(table.to_pyarrow_table(columns=["id", "day", "duration_us"]).to_pydict())
    files = table.file_uris()
    count = "SELECT count(*), count(DISTINCT id), sum(duration_us) FROM read_parquet($files)"
    rows, ids, total = duckdb.execute(count, {"files": files}).fetchone()
    assert (rows, ids) == (len(frame), frame["id"].nunique()), f"DuckDB sees {rows} rows, pandas {len(frame)}"
    assert rows == ids, f"{rows} rows, {ids} of them different"
    assert total == frame["duration_us"].sum()
    return rows


def main():
    store, stop = map(pathlib.Path, sys.argv[1:])
    looks, before = 0, 0
    while True:
        last = stop.exists()
        now = look(store)
        assert now >= before, f"{before} rows became {now}"
        looks, before = looks + 1, now
        if last:
            break
    print(looks, before)


main()
