"""What the scorecard of the preset says of operations, by DuckDB from the tables of a store: `scorecard.py TABLE` prints the files of the
table as Delta has them now, one a line; `scorecard.py LIST` reads those files and prints what they say as JSON."""

import json
import os
import sys

LIMITS = {
    "grandma_rose": 3000, "maya": 1000, "david": 2000, "dr_sarah": 1500, "alex": 2000,
    "carlos": 2500, "priya": 2000, "jamie": 1500, "viktor": 3000, "luna": 2000,
}


def files(table):
    from deltalake import DeltaTable

    for name in DeltaTable(table).file_uris():
        print(name)


def scorecard(listing):
    import duckdb

    with open(listing, encoding="utf-8") as lines:
        names = lines.read().splitlines()
    database = duckdb.connect(config={"threads": 2})
    # Durations of successes, and how many are within the limits; a failure is beyond any.
    database.execute(f"CREATE VIEW operations AS SELECT * FROM read_parquet({names!r}) WHERE origin = 'use' AND dry_run IS NOT TRUE")
    by_persona = " ".join(f"WHEN '{name}' THEN {limit * 1000}" for name, limit in LIMITS.items())
    ask = lambda sql: database.execute(sql).fetchall()
    figures = "count(*), count(*) FILTER (outcome = 'ok'), quantile_disc(duration_us, 0.95) FILTER (outcome = 'ok')"
    said = {
        "latency": ask(
            f"SELECT {figures}, count(*) FILTER (outcome = 'ok' AND duration_us < 500000),"
            " count(*) FILTER (outcome = 'ok' AND duration_us < 100000) FROM operations"
        ),
        "personas": ask(
            f"SELECT persona, {figures}, count(*) FILTER (outcome = 'ok' AND duration_us < CASE persona {by_persona} END)"
            " FROM operations GROUP BY 1 ORDER BY 1"
        ),
        "success": ask("SELECT operation, count(*), count(*) FILTER (outcome = 'ok') FROM operations GROUP BY 1 ORDER BY 1"),
        "returns": ask(
            'WITH active AS (SELECT DISTINCT "user", CAST(at AS DATE) AS day FROM operations),'
            ' firsts AS (SELECT "user", min(day) AS first FROM active GROUP BY 1)'
            ' SELECT first, (day - first) // 7, count(DISTINCT active."user") FROM active JOIN firsts USING ("user")'
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ),
    }
    print(json.dumps(said, default=str))


if os.path.isdir(sys.argv[1]):
    files(sys.argv[1])
else:
    scorecard(sys.argv[1])
