"""The classes of the success-metrics specification of Nix for Humanity, by their own names: change the import, keep the code.

    from milepost.compat import MetricsDashboard, PerformanceTracker

What they are told is recorded as events, so that nothing is forgotten when the process ends, and what they report is read back
from Milepost: it covers all that was recorded in the data folder, by whomever. What is not known is None, never 0; `{"no_data": True}`,
`{"no_checkpoints": True}` and a None in place of memory figures stand where the specification has them. Recording raises nothing;
a report that cannot be read raises ReportError.
"""

from ._code_quality import CodeQualityTracker
from ._commands import flush
from ._dashboard import MetricsDashboard
from ._learning import LearningEffectivenessTracker
from ._memory import MemoryTracker
from ._performance import PerformanceMetric, PerformanceTracker
from ._reliability import ReliabilityTracker
from ._report import ReportError
from ._usability import UsabilityTracker, UserSession

__all__ = [
    "CodeQualityTracker",
    "LearningEffectivenessTracker",
    "MemoryTracker",
    "MetricsDashboard",
    "PerformanceMetric",
    "PerformanceTracker",
    "ReliabilityTracker",
    "ReportError",
    "UsabilityTracker",
    "UserSession",
    "flush",
]
