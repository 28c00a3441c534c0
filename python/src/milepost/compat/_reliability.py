"""ReliabilityTracker: how many commands succeed, and what goes wrong."""

from __future__ import annotations

from typing import Any, Dict, Optional

import milepost

from . import _commands, _report

#: A command's success rate should not be below this, in percent.
TARGET = 95


class ReliabilityTracker:
    """Records how commands end."""

    def track_command(self, command_type: str, success: bool, error: Optional[str] = None) -> None:
        """A command ended. The text of its error decides the category, and is stored only where the configuration allows it."""
        detail = None
        if not success and error:
            detail = {"category": self._categorize_error(error), "text": error[-8192:]}
        _commands.tell("reliability", name=command_type, success=bool(success), error=detail)

    def _categorize_error(self, error: str) -> str:
        return milepost.recorder.categorize(error)

    def get_success_rates(self) -> Dict[str, Optional[float]]:
        """The success rate of each command in percent; None where none of its runs counts."""
        return _rates(_report.read())

    def get_reliability_report(self) -> Dict[str, Any]:
        """`overall_success_rate`, `by_command`, `error_breakdown` and `commands_below_target`.

        The overall rate is that of all commands together: the specification's mean of rates would weigh a command that ran once
        like one that ran a thousand times. The breakdown is of failures of which somebody told the error.
        """
        report = _report.read()
        rates, errors = _rates(report), report["reliability"]["errors"]
        return {
            "overall_success_rate": report["reliability"]["overall_success_rate"],
            "by_command": rates,
            "error_breakdown": {row["category"]: row["count"] for row in errors if row["category"] is not None},
            "commands_below_target": [command for command, rate in rates.items() if rate is not None and rate < TARGET],
        }


def _rates(report: Dict[str, Any]) -> Dict[str, Optional[float]]:
    return {row["operation"]: row["success_rate"] for row in report["reliability"]["by_command"]}
