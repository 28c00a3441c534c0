"""Looks whether each criterion of a scorecard was fed: `python fed.py SCORECARD.json "Criterion,Criterion"`.

Those that are named may be without data. For every other it has to say met, missed or not proven, from events.
"""

import json
import sys
from pathlib import Path

scorecard = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
take_time = set(sys.argv[2].split(","))
criteria = [criterion for criterion in scorecard["criteria"] if criterion.get("tier")]
verdicts = {criterion["name"]: criterion["verdict"] for criterion in criteria}
unfed = [name for name, verdict in verdicts.items() if verdict in ("no_data", "stale") and name not in take_time]
counts = ", ".join(
    f"{n} {verdict.replace('_', ' ')}"
    for verdict in ("met", "missed", "not_proven", "no_data")
    if (n := list(verdicts.values()).count(verdict))
)
print(f"{len(verdicts)} criteria: {counts}.")
if unfed:
    sys.exit(f"nothing fed: {', '.join(unfed)}")
