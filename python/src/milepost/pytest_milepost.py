"""A plugin for pytest: `pytest --milepost` records how the tests went.

pytest finds it by itself where this package is installed, and it does nothing unless it is asked to. Nothing that goes wrong here
changes how a run ends.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Optional

from ._recorder import Recorder

_PHASES = ("setup", "call", "teardown")
_NAME = "milepost-run"
_INTERRUPTED = 2  # pytest.ExitCode.INTERRUPTED


def pytest_addoption(parser: Any) -> None:
    parser.getgroup("milepost").addoption(
        "--milepost",
        action="store_true",
        help="record each test as an operation of origin `test`, and how many passed and failed, for Milepost",
    )


def pytest_configure(config: Any) -> None:
    # A worker of xdist tells its controller, which records.
    if config.getoption("milepost", False) and not config.getoption("collectonly", False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Run(), _NAME)


class _Test:
    """What was said of a test so far."""

    def __init__(self) -> None:
        self.outcome = "skipped"
        self.seconds = 0.0
        self.message: Optional[str] = None


class _Run:
    """One run of pytest."""

    def __init__(self) -> None:
        self._recorder = Recorder()
        # Before the tests begin, which may change folder and environment.
        self._recorder.place
        self._since = time.perf_counter()
        self._tests: Dict[str, _Test] = {}
        self._counts = {"passed": 0, "failed": 0, "skipped": 0, "integration": 0}
        self._problem: Optional[str] = None

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._try(self._heard, report)

    def pytest_collectreport(self, report: Any) -> None:
        self._try(self._collected, report)

    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> None:
        self._try(self._finished, session, exitstatus)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        problem = self._problem or self._recorder.last_problem
        if problem is not None:
            terminalreporter.write_line(f"milepost: not recorded: {problem}")

    def _try(self, step: Callable[..., None], *given: Any) -> None:
        try:
            step(*given)
        except Exception as error:  # The run goes on, whatever is wrong here.
            self._problem = f"{type(error).__name__}: {error}"

    def _heard(self, report: Any) -> None:
        if report.outcome == "rerun":  # By pytest-rerunfailures: it is not over.
            return
        test = self._tests.setdefault(report.nodeid, _Test())
        test.seconds += report.duration
        if report.failed:
            test.outcome = "failed"
            test.message = test.message or _message(report)
        elif report.when == "call" and report.passed and test.outcome != "failed":
            test.outcome = "passed"
        # What is of no phase is a worker that crashed.
        if report.when == "teardown" or report.when not in _PHASES:
            del self._tests[report.nodeid]
            self._ended(report.nodeid, test)

    def _ended(self, nodeid: str, test: _Test) -> None:
        self._counts[test.outcome] += 1
        # Parameters are data, and part of no name.
        name = nodeid.split("[", 1)[0]
        self._counts["integration"] += _has_word(name.rpartition("::")[0], "integration")
        if test.outcome == "skipped":
            return
        event: Dict[str, Any] = {
            "kind": "operation",
            "origin": "test",
            "operation": name,
            "outcome": "ok" if test.outcome == "passed" else "failed",
            "duration_us": round(test.seconds * 1e6),
        }
        if test.message is not None:
            event["error"] = {"category": self._recorder.categorize(test.message), "text": test.message[:8192]}
        self._recorder.record(event)

    def _collected(self, report: Any) -> None:
        # What cannot be collected is a test that failed, as in pytest's own report.
        if report.outcome in ("failed", "skipped"):
            self._counts[report.outcome] += 1
            self._counts["integration"] += _has_word(report.nodeid, "integration")

    def _finished(self, session: Any, exitstatus: Any) -> None:
        counts = self._counts
        total = counts["passed"] + counts["failed"] + counts["skipped"]
        # No test is no data; and of a run that was broken off, nobody knows that all would have passed.
        if total == 0 or (int(exitstatus) == _INTERRUPTED and counts["failed"] == 0):
            return
        import pytest

        shared = {
            "kind": "measurement",
            "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "source": f"pytest {pytest.__version__}",
            "attributes": {"report": secrets.token_hex(8)},
        }
        readings: List[Dict[str, Any]] = [{"name": f"tests.{name}", "value": n} for name, n in {"total": total, **counts}.items()]
        readings.append({"name": "tests.duration", "value": time.perf_counter() - self._since, "unit": "s"})
        for reading in readings:
            self._recorder.record({**shared, **reading})
        self._recorder.close()


def _message(report: Any) -> Optional[str]:
    crash = getattr(report.longrepr, "reprcrash", None)
    message = getattr(crash, "message", None)
    return message if isinstance(message, str) else str(report.longrepr or "") or None


def _has_word(text: str, wanted: str) -> bool:
    """As `milepost collect tests` finds it: between characters that are neither letter nor digit, or from a capital after a small letter on."""
    word, after_small = "", False
    for c in text + "/":
        if not c.isalnum() or (c.isupper() and after_small):
            if word == wanted:
                return True
            word = ""
        if c.isalnum():
            word += c.lower()
        after_small = c.islower()
    return False
