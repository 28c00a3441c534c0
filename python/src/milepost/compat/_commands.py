"""One command, one event: what several trackers are told of the same command is put together.

The specification has three trackers of commands. Code that uses it tells each of them about every command: how long it took, how
it ended, whose it was. Three events would count it three times, and Milepost would take one command for three pieces of evidence.
So calls that follow one another in one thread or task, are about the same command and do not contradict each other make one event.

An event is held back for two seconds at most: until the next command begins, a report is read or the process ends. A process that
is killed loses what it holds back.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextvars import ContextVar
from typing import Any, Dict, Optional, Set

import milepost
from milepost import _wire

HELD_BACK_S = 1.0
#: The name of a command of which nobody told the name.
UNNAMED = "command"


class _Command:
    """What is known of one command."""

    def __init__(self) -> None:
        #: Which trackers told of it.
        self.told: Set[str] = set()
        #: Whether it succeeded, where a tracker said so. That a timed block raised nothing says less.
        self.success: Optional[bool] = None
        self.event: Dict[str, Any] = {"kind": "operation"}
        self.user: Optional[str] = None
        self.began = time.monotonic()

    def takes(self, tracker: str, name: Optional[str], success: Optional[bool], outcome: Optional[str]) -> bool:
        """Whether what another tracker tells can be about the same command."""
        own_name = self.event.get("operation")
        return (
            tracker not in self.told
            and (name is None or own_name is None or name == own_name)
            and (success is None or self.success is None or success == self.success)
            # A block that raised cannot have succeeded.
            and not (success is True and self.event.get("outcome") not in (None, "ok"))
            and not (self.success is True and outcome not in (None, "ok"))
        )


_pending: ContextVar[Optional[_Command]] = ContextVar("milepost_pending", default=None)
_all: Set[_Command] = set()
_lock = threading.RLock()
_timer: Optional[threading.Timer] = None
_ends_here: Optional[int] = None


def tell(
    tracker: str,
    *,
    name: Optional[str] = None,
    success: Optional[bool] = None,
    outcome: Optional[str] = None,
    user: Optional[str] = None,
    **keys: Any,
) -> None:
    """What a tracker was told of a command. `success` is somebody's word, `outcome` how a timed block ended."""
    with _lock:
        command = _pending.get()
        if command is None or command not in _all or not command.takes(tracker, name, success, outcome):
            if command is not None:
                _write(command)
            command = _Command()
            _all.add(command)
            _pending.set(command)
        command.told.add(tracker)
        command.user = user if user is not None else command.user
        if success is not None:
            command.success = success
        event = command.event
        event["at"] = _wire.written_now()
        event.update((key, value) for key, value in keys.items() if value is not None)
        if name is not None:
            event["operation"] = name
        if outcome is not None:
            event["outcome"] = outcome
        _watch()


def flush() -> None:
    """Records what is held back."""
    with _lock:
        for command in list(_all):
            _write(command)


def _write(command: _Command) -> None:
    if command not in _all:
        return
    _all.discard(command)
    event = command.event
    event.setdefault("operation", UNNAMED)
    if command.success is False and event.get("outcome") in (None, "ok"):
        event["outcome"] = "failed"
    event.setdefault("outcome", "ok")
    if event["outcome"] in ("ok", "cancelled"):
        event.pop("error", None)
    milepost.recorder._record_for(command.user, event)


def _watch() -> None:
    """Sees to it that what is held back is written in time."""
    global _timer, _ends_here
    if _ends_here != os.getpid():
        atexit.register(flush)
        _ends_here = os.getpid()
    if _timer is None:
        _timer = threading.Timer(HELD_BACK_S, _tick)
        _timer.daemon = True
        try:
            _timer.start()
        except RuntimeError:
            # The interpreter ends, or there can be no more threads.
            _timer = None
            flush()


def _tick() -> None:
    global _timer
    with _lock:
        _timer = None
        old = time.monotonic() - HELD_BACK_S / 2
        for command in [command for command in _all if command.began <= old]:
            _write(command)
        if _all:
            _watch()


def _after_fork() -> None:
    # What is held back is the parent's to write, and its timer is not here.
    global _lock, _timer
    _lock = threading.RLock()
    _timer = None
    _all.clear()


os.register_at_fork(after_in_child=_after_fork)
