"""The exact full report by DuckDB: `exact.py LIST` reads the files of a store's operations that are listed, and prints what
`milepost report full --exact --quantile-type 7 --failures exclude --format json` does; `exact.py ONE OTHER` fails where two of them differ."""

import json
import sys

GROUPS = {
    "by_operation": "operation",
    "by_operation_backend": "operation || '|' || coalesce(backend, '')",
    "by_day": "CAST(CAST(make_timestamp(us) AS DATE) AS VARCHAR)",
}


def report(listing):
    import duckdb

    with open(listing, encoding="utf-8") as lines:
        names = lines.read().splitlines()
    database = duckdb.connect(config={"threads": 2})
    ask = lambda sql: database.execute(sql).fetchall()
    ask(
        "CREATE VIEW counted AS SELECT epoch_us(\"at\") AS us, operation, backend, outcome = 'ok' AS ok, duration_us, \"user\", error_category"
        f" FROM read_parquet({names!r}) WHERE origin = 'use' AND dry_run IS NOT TRUE AND outcome <> 'cancelled'"
    )
    keys = ", ".join(f"{expression} AS {name}" for name, expression in GROUPS.items())
    sets = ", ".join(f"({name})" for name in GROUPS)
    said = {"summary": [0, None, None, None], **{name: {} for name in GROUPS}}
    rows = ask(
        f"SELECT grouping({', '.join(GROUPS)}), coalesce({', '.join(GROUPS)}), count(*), 100 * avg(CAST(ok AS INTEGER)),"
        " quantile_cont(duration_us / 1000, [0.5, 0.95]) FILTER (ok)"
        f" FROM (SELECT ok, duration_us, {keys} FROM counted) GROUP BY GROUPING SETS ((), {sets})"
    )
    # A bit for each key that a row is not grouped by, the first key's the highest.
    of_bits = {7 - (4 >> place): name for place, name in enumerate(GROUPS)}
    for bits, key, n, succeeded, quantiles in rows:
        figures = [n, succeeded, *(quantiles or (None, None))]
        if bits in of_bits:
            said[of_bits[bits]][key] = figures
        else:
            said["summary"] = figures
    said["errors"] = dict(ask("SELECT error_category, count(*) FROM counted WHERE NOT ok AND error_category IS NOT NULL GROUP BY 1"))
    said["ttfs"] = ask(
        'WITH waits AS (SELECT min(us) FILTER (ok) - min(us) AS us FROM counted WHERE "user" IS NOT NULL GROUP BY "user")'
        " SELECT count(*), count(us), avg(us) / 1e6, quantile_cont(us, 0.5) / 1e6, 100 * avg(CAST(us < 30000000 AS INTEGER)) FROM waits"
    )[0]
    cohorts = ask(
        'WITH weeks AS (SELECT DISTINCT "user", (us // 86400000000 + 3) // 7 AS week FROM counted WHERE "user" IS NOT NULL),'
        ' began AS (SELECT week, min(week) OVER (PARTITION BY "user") AS first FROM weeks)'
        " SELECT first, week - first, count(*) FROM began GROUP BY 1, 2"
    )
    said["retention"] = {f"{first}|{weeks}": n for first, weeks, n in cohorts}
    print(json.dumps(said))


def differences(path, one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(f"{path}/{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (a, b) in enumerate(zip(one, other)):
            yield from differences(f"{path}/{place}", a, b)
    elif one != other and not (isinstance(one, float) and isinstance(other, (int, float)) and abs(one - other) <= 1e-9 * abs(one)):
        yield f"{path}: {one}, {other}"


if len(sys.argv) == 2:
    report(sys.argv[1])
else:
    found = list(differences("", *(json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])))
    sys.exit("\n".join(found[:10]) if found else 0)
