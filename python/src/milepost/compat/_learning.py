"""LearningEffectivenessTracker: whether learning makes the product understand more."""

from __future__ import annotations

from typing import Any, Dict

import milepost

from . import _report

#: The accuracy with learning that is wanted, in percent.
TARGET = 95
LEARNING, CONTROL = "learning", "control"


class LearningEffectivenessTracker:
    """Records what the product understood, in the two arms of an experiment."""

    def __init__(self) -> None:
        #: The accuracy to improve on, as the specification states it.
        self.baseline_accuracy = 0.85

    def track_interaction(self, text: str, recognized_intent: str, correct_intent: str, with_learning: bool) -> None:
        """A request that the product had to understand. Its text is stored only where the configuration allows it."""
        milepost.recorder.interaction(
            recognized_intent or None,
            correct=correct_intent or None,
            arm=LEARNING if with_learning else CONTROL,
            text=text or None,
        )

    def get_learning_report(self) -> Dict[str, Any]:
        """`current_accuracy_with_learning`, `current_accuracy_without_learning`, `improvement_percentage` (points),
        `target_reached` and `accuracy_trend`; `{"no_checkpoints": True}` before the first checkpoint.

        A checkpoint stands wherever one of the arms has a hundred labelled interactions more, and tells each arm's accuracy over
        its last hundred. An arm of fewer than twenty has none: that is None, and so is a difference to it.
        """
        checkpoints = _report.read()["learning"]["checkpoints"]
        if not checkpoints:
            return {"no_checkpoints": True}
        latest = checkpoints[-1]
        accuracy = latest["accuracy_with_learning"]
        return {
            "current_accuracy_with_learning": accuracy,
            "current_accuracy_without_learning": latest["accuracy_without_learning"],
            "improvement_percentage": latest["improvement"],
            "target_reached": None if accuracy is None else accuracy >= TARGET,
            "accuracy_trend": [checkpoint["accuracy_with_learning"] for checkpoint in checkpoints],
        }
