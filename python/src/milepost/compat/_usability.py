"""UsabilityTracker: how soon people succeed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Optional, Tuple

import milepost

from . import _commands, _report

#: So many sessions of this process are kept at once; who was silent longest is forgotten, and begins a new one.
SESSIONS_MAX = 10_000


@dataclass
class UserSession:
    """A session of this process. Names stay in memory: what is recorded has a pseudonym."""

    user_id: str
    start_time: datetime
    first_success_time: Optional[datetime] = None
    commands_attempted: int = 0
    commands_succeeded: int = 0


class UsabilityTracker:
    """Records when people begin and what they try."""

    def __init__(self) -> None:
        #: The session of each user of this process.
        self.sessions: Dict[str, UserSession] = OrderedDict()
        self._ids: Dict[str, str] = {}

    def start_session(self, user_id: str) -> None:
        """A person begins to use the product."""
        self._start(user_id)

    def _start(self, user_id: str) -> Tuple[UserSession, str]:
        session = self.sessions[user_id] = UserSession(user_id, datetime.now())
        self._ids[user_id] = milepost.recorder.session(user_id)
        while len(self.sessions) > SESSIONS_MAX:
            oldest = next(iter(self.sessions))
            del self.sessions[oldest], self._ids[oldest]
        return session, self._ids[user_id]

    def track_command(self, user_id: str, success: bool) -> None:
        """A person tried a command. Who has no session begins one."""
        if user_id in self.sessions:
            session, name = self.sessions[user_id], self._ids[user_id]
        else:
            session, name = self._start(user_id)
        session.commands_attempted += 1
        if success:
            session.commands_succeeded += 1
            session.first_success_time = session.first_success_time or datetime.now()
        _commands.tell("usability", success=bool(success), user=user_id, session=name)

    def get_usability_metrics(self) -> Dict[str, Any]:
        """`average_time_to_first_success` and `median_time_to_first_success` in seconds, `users_successful_under_30s` in percent,
        `average_attempts_before_success`; `{"no_data": True}` where nobody began.

        Those who gave up are people too: the median and the share are of all who began, and the median is None where fewer than
        half of them succeeded. The averages can only be of those who did. Attempts are counted up to the first success.
        """
        usability = _report.read()["usability"]
        if usability["starters"] == 0:
            return {"no_data": True}
        return {
            "average_time_to_first_success": usability["mean_of_successes_s"],
            "median_time_to_first_success": usability["median_s"],
            "users_successful_under_30s": usability["within_30s_percent"],
            "average_attempts_before_success": usability["attempts_before_first_success"],
        }
