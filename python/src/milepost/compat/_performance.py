"""PerformanceTracker: how long operations take."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Deque, Dict, Optional, Type

import milepost

from . import _commands, _report

#: So many of this process's own measurements are kept in `metrics`.
METRICS_MAX = 10_000


@dataclass
class PerformanceMetric:
    """One measurement of this process. `duration` is in milliseconds."""

    operation: str
    duration: float
    timestamp: datetime
    success: bool
    backend_type: str


class OperationTimer:
    """Times a block of code."""

    def __init__(self, tracker: PerformanceTracker, op: str, backend: str) -> None:
        self.tracker = tracker
        self.operation = op
        self.backend = backend
        self.start_time: Optional[float] = None

    def __enter__(self) -> OperationTimer:
        self.start_time = time.perf_counter()
        return self

    def __exit__(
        self, exc_type: Optional[Type[BaseException]], exc_val: Optional[BaseException], exc_tb: Optional[TracebackType]
    ) -> None:
        elapsed = time.perf_counter() - (self.start_time or 0.0)
        outcome, error, code = ("ok", None, None) if exc_val is None else milepost.recorder._ended_by(exc_val)
        metric = PerformanceMetric(self.operation, elapsed * 1000, datetime.now(), exc_type is None, self.backend)
        self.tracker.metrics.append(metric)
        _commands.tell(
            "performance",
            name=self.operation,
            outcome=outcome,
            backend=self.backend,
            duration_us=round(elapsed * 1e6),
            error=error,
            exit_code=code,
        )


class PerformanceTracker:
    """Times operations and reports how long they take, by operation and by backend.

    A P95 is the specification's: of operations that succeeded. Unlike there it is one of the observed times (type 1 of Hyndman
    and Fan 1996), so that it never exceeds the largest. Milepost's own verdicts count a failure as slower than any limit.
    """

    def __init__(self) -> None:
        #: What this process measured, the newest 10,000.
        self.metrics: Deque[PerformanceMetric] = deque(maxlen=METRICS_MAX)
        #: Limits of the P95 in milliseconds, by operation.
        self.thresholds: Dict[str, float] = {"install": 500, "search": 200, "config_gen": 1000, "list": 100}

    def track_operation(self, operation: str, backend_type: str) -> OperationTimer:
        """A context manager that times an operation; an exception makes it a failure, and goes on its way."""
        return OperationTimer(self, operation, backend_type)

    def get_p95(self, operation: Optional[str] = None) -> Optional[float]:
        """The P95 in milliseconds of all operations or of one; None where none succeeded."""
        performance = _report.read()["performance"]
        groups = [performance["overall"]] if operation is None else performance["by_operation"]
        return next((_p95(group) for group in groups if operation is None or group["operation"] == operation), None)

    def generate_report(self) -> Dict[str, Any]:
        """`summary`, `by_operation`, `by_backend` and `threshold_violations`. Times in milliseconds, rates in percent.

        The backend of operations of which nobody said it is None.
        """
        performance = _report.read()["performance"]
        overall = performance["overall"]
        by_operation = {group["operation"]: _figures(group) for group in performance["by_operation"]}
        violations = []
        for operation, figures in by_operation.items():
            p95, threshold = figures["p95"], self.thresholds.get(operation)
            if p95 is not None and threshold is not None and p95 > threshold:
                over = (p95 / threshold - 1) * 100 if threshold > 0 else None
                violations.append({"operation": operation, "p95": p95, "threshold": threshold, "violation_percentage": over})
        return {
            "summary": {"total_operations": overall["count"], "success_rate": overall["success_rate"], "p95_overall": _p95(overall)},
            "by_operation": by_operation,
            "by_backend": {group["backend"]: _figures(group) for group in performance["by_backend"]},
            "threshold_violations": violations,
        }


def _p95(group: Dict[str, Any]) -> Optional[float]:
    p95: Optional[float] = group["successes"]["p95_ms"]
    return p95


def _figures(group: Dict[str, Any]) -> Dict[str, Any]:
    p50 = group["successes"]["p50_ms"]
    return {"count": group["count"], "p95": _p95(group), "p50": p50, "success_rate": group["success_rate"]}
