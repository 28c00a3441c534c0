"""CodeQualityTracker: what coverage.py and radon say of the code."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Union

from . import _report

#: How long the tests of the project may take, in seconds.
TESTS_TIMEOUT_S = 3600


class CodeQualityTracker:
    """Runs the tools, has Milepost record what they say, and reads it back.

    A tool that is not installed, fails or has nothing to say leaves None in every figure: figures of an earlier run are not
    given out as those of this one.
    """

    def __init__(self, project_root: Union[str, "os.PathLike[str]"]) -> None:
        self.project_root = Path(project_root)

    def measure_test_coverage(self) -> Dict[str, Any]:
        """Runs the tests in `tests/` under coverage.py: `total_coverage` (statements, in percent), `integration_test_count` (measured
        files of integration tests), `files_below_80` and `uncovered_lines`.
        """
        with tempfile.TemporaryDirectory() as folder:
            # Data of its own: what an earlier run left behind is no measurement of this one.
            environment = {**os.environ, "COVERAGE_FILE": os.path.join(folder, "coverage")}
            report = Path(folder, "coverage.json")
            self._run(["coverage", "run", "-m", "pytest", "tests/"], environment)
            self._run(["coverage", "json", "-o", str(report)], environment)
            coverage = self._recorded("coverage", report)
        if coverage is None:
            return dict.fromkeys(("total_coverage", "integration_test_count", "files_below_80", "uncovered_lines"))
        return {
            "total_coverage": coverage["statements_percent"],
            "integration_test_count": coverage["integration_tests"],
            "files_below_80": [file["file"] for file in coverage["files_below_80"]],
            "uncovered_lines": coverage["uncovered_lines"],
        }

    def measure_code_complexity(self) -> Dict[str, Any]:
        """Runs radon over `backend`: `average_complexity`, `max_complexity`, `functions_above_10` and `complex_functions`, the five
        worst of these.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "radon.json")
            printed = self._run(["radon", "cc", str(self.project_root.absolute() / "backend"), "--json"], dict(os.environ))
            if printed is not None:
                report.write_bytes(printed)
            complexity = self._recorded("complexity", report)
        if complexity is None:
            return dict.fromkeys(("average_complexity", "max_complexity", "functions_above_10", "complex_functions"))
        worst = [row for row in complexity["worst"] if row["complexity"] > 10]
        return {
            "average_complexity": complexity["average"],
            "max_complexity": complexity["maximum"],
            "functions_above_10": complexity["functions_above_10"],
            "complex_functions": [{key: row[key] for key in ("name", "complexity", "file")} for row in worst[:5]],
        }

    def _run(self, command: Sequence[str], environment: Dict[str, str]) -> Optional[bytes]:
        """What a tool prints; None where it cannot be run or takes too long. The tests it runs may fail: that is no matter here."""
        # The tool that is installed beside this Python, else the one on the PATH.
        beside = os.path.join(os.path.dirname(sys.executable), command[0])
        tool = beside if os.access(beside, os.X_OK) else command[0]
        try:
            done = subprocess.run(
                [tool, *command[1:]],
                cwd=self.project_root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=TESTS_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout

    def _recorded(self, kind: str, report: Path) -> Optional[Dict[str, Any]]:
        """Hands a report to Milepost and reads back what it made of it; None where it refused it, or there is none."""
        if not report.exists():
            return None
        try:
            _report.run(["collect", kind, str(report)])
        except _report.ReportError:
            return None
        found: Optional[Dict[str, Any]] = _report.read()["code"][kind]
        return found
