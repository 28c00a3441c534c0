"""How many bytes an event takes in the files of a list, and in plain Parquet that DuckDB makes of the same rows: `at_rest.py LIST FOLDER` prints
both with and without ids, as cells of a table. FOLDER is for the copies."""

import os
import sys


def main(listing, folder):
    import duckdb
    import pyarrow.parquet as parquet

    with open(listing, encoding="utf-8") as lines:
        names = lines.read().splitlines()
    rows, ours, ids = 0, 0, 0
    for name in names:
        metadata = parquet.ParquetFile(name).metadata
        rows += metadata.num_rows
        ours += os.path.getsize(name)
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            columns = map(group.column, range(metadata.num_columns))
            ids += sum(column.total_compressed_size for column in columns if column.path_in_schema == "id")
    sizes = [ours, ours - ids]
    database = duckdb.connect(config={"threads": 2})
    for columns in ["*", "* EXCLUDE (id)"]:
        copy = os.path.join(folder, "plain.parquet")
        database.execute(f"COPY (SELECT {columns} FROM read_parquet({names!r})) TO '{copy}' (FORMAT parquet, COMPRESSION zstd)")
        sizes.append(os.path.getsize(copy))
        os.remove(copy)
    print(" | ".join(f"{size / rows:.1f}" for size in sizes))


main(*sys.argv[1:])
