"""Reads an export of operations in Parquet with other people's tools, and prints what they see.

Usage: export.py FILE
"""

import sys

import duckdb
import pandas

frame = pandas.read_parquet(sys.argv[1])
query = """SELECT count(*), sum(duration_us), max("at")::VARCHAR, max(attributes['n']), any_value(typeof("at")), any_value(typeof(day))
           FROM read_parquet($file)"""
rows, total, newest, attribute, at, day = duckdb.execute("SET TimeZone = 'UTC'").execute(query, {"file": sys.argv[1]}).fetchone()
assert (rows, total) == (len(frame), frame["duration_us"].sum())
assert (at, day) == ("TIMESTAMP WITH TIME ZONE", "DATE"), (at, day)
assert str(frame["at"].dtype) == "datetime64[us, UTC]", frame["at"].dtype
assert frame["at"].is_monotonic_increasing and frame["operation"].unique().tolist() == ["search"]
assert dict(frame["attributes"].iloc[0])["n"] == "0", frame["attributes"].iloc[0]
print(rows, total, newest, attribute)
