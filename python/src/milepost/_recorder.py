"""The recorder: what a product uses to record its own use."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple, Type, TypeVar, Union, cast

from . import _wire
from ._error_category import Rules
from ._errors import outcome_of
from ._place import Place
from ._spool import Identity, Segment, Spool, new_id

_LOG = logging.getLogger("milepost")
_F = TypeVar("_F", bound=Callable[..., Any])
Attributes = Mapping[str, Union[str, int, float, bool]]


def recording_is_off() -> Optional[str]:
    """The environment variable that keeps recording off, if one does."""
    for name in ("DO_NOT_TRACK", "MILEPOST_DISABLED"):
        if os.environ.get(name, "0") not in ("", "0"):
            return name
    return None


class _Open:
    """What a recorder needs once it records."""

    def __init__(self, place: Place) -> None:
        if place.data is None:
            raise FileNotFoundError("nothing says where the data are: set MILEPOST_DATA, or run `milepost init` in the project's folder")
        self.place = place
        self.spool = Spool(place.data)
        self.identity = Identity(place.data)


class Recorder:
    """Records events into a data folder, for all threads of a process; a child after a fork may go on using it.

    It never raises into its host: what could not be recorded is counted by `lost`, told by `last_problem`, and logged once by
    the logger `milepost`. `record` alone says what is wrong with an event that is no event, if asked to by `strict`.
    """

    def __init__(
        self,
        data: Union[str, "os.PathLike[str]", None] = None,
        *,
        origin: str = "use",
        version: Optional[str] = None,
        texts: Optional["frozenset[str]"] = None,
    ) -> None:
        self._data = None if data is None else os.fspath(data)
        self._origin = origin
        self._version = version
        self._texts = texts
        self._open: Optional[_Open] = None
        self._segment: Optional[Segment] = None
        # A signal handler may record while the thread that it interrupts does.
        self._lock = threading.RLock()
        self._is_off = recording_is_off() is not None
        #: Typed, as True and 1 are alike to a dictionary.
        self._template = functools.lru_cache(maxsize=1024, typed=True)(self._template_of)
        #: How many events could not be recorded.
        self.lost = 0
        #: What was wrong with the last one of them.
        self.last_problem: Optional[str] = None
        _ALL.add(self)

    def record(self, event: Mapping[str, Any], *, strict: bool = False) -> bool:
        """Records an event of any kind, with the keys of the wire format; `v`, `at`, `id`, `origin`, `host` and `version` are
        filled in where they are absent. Whether the operating system has it: then a crash of this process does not lose it.

        With `strict`, an event that is no event raises ValueError.
        """
        if self._is_off:
            return False
        try:
            with self._lock:
                opened = self._open or self._opened()
                self._append(_wire.line(self._admitted(event, opened)), opened)
            return True
        except _wire.Invalid as invalid:
            self._problem(invalid)
            if strict:
                raise
        except Exception as error:  # The host goes on, whatever is wrong here.
            self._problem(error)
        return False

    def _append(self, record: bytes, opened: _Open) -> None:
        segment = self._segment
        if segment is None or segment.is_full:
            new = Segment(opened.spool)
            # Whoever seals next takes the full one, or that of a signal handler that came between.
            self.close()
            segment = self._segment = new
        segment.append(record)

    def _record_operation(self, elapsed_us: int, facts: Dict[str, Any]) -> None:
        """Records an operation, of which `facts` say all but how long it took: a program records a few again and again."""
        if self._is_off:
            return
        user, session = facts.pop("user", None), facts.pop("session", None)
        if elapsed_us <= _wire.DURATION_US_MAX and (session is None or _wire.is_plain(session)):
            try:
                with self._lock:
                    opened = self._open or self._opened()
                    template = self._template(user is not None, session is not None, **facts)
                    values: List[Any] = [new_id(), _wire.written_now(), elapsed_us]
                    if user is not None:
                        values.append(opened.identity.pseudonym(user))
                    if session is not None:
                        values.append(session)
                    self._append((template % tuple(values)).encode(), opened)
                return
            except TypeError:
                pass  # An error and attributes are dictionaries, which are no key of a cache.
            except Exception as error:
                self._problem(error)
                return
        self._record_for(user, {"kind": "operation", "duration_us": elapsed_us, "session": session, **facts})

    def _template_of(self, has_user: bool, has_session: bool, **facts: Any) -> str:
        """The record of an operation, with places for its id, its time, its duration, and the user and the session where it has them."""
        places: Dict[str, Any] = {"id": new_id(), "at": _wire.written_now(), "duration_us": _wire.DURATION_US_MAX}
        if has_user:
            places["user"] = "u-0123456789abcdef"
        if has_session:
            places["session"] = _wire.PLAIN_MAX * "-"
        record = _wire.line(self._admitted({"kind": "operation", **places, **facts}, self._opened())).decode().replace("%", "%%")
        for key, value in places.items():
            # Within a text its quotes would be escaped, and what is called alike in the attributes comes behind it.
            place = "%d" if key == "duration_us" else '"%s"'
            record = record.replace(f'"{key}":{json.dumps(value)}', f'"{key}":{place}', 1)
        return record

    def _opened(self) -> _Open:
        if self._open is None:
            place = Place.find()
            if self._data is not None:
                place.data = self._data
            if self._texts is None:
                self._texts = place.texts
            self._version = self._version or place.version
            self._open = _Open(place)
        return self._open

    def _admitted(self, given: Mapping[str, Any], opened: _Open) -> _wire.Event:
        event: Dict[str, Any] = dict(given)
        get = event.get
        kind = get("kind")
        ours: Tuple[str, ...] = ()
        if get("v") is None:
            event["v"] = _wire.VERSION
        if get("origin") is None:
            event["origin"] = self._origin
        if get("host") is None:
            event["host"] = opened.identity.host
        if get("id") is None:
            event["id"] = new_id()
            ours = ("id",)
        # A note about a release names the version that it is about, and others have none of their own.
        if self._version is not None and kind != "note" and get("version") is None:
            event["version"] = self._version
        attributes = get("attributes")
        if not attributes:
            event["attributes"] = _wire.DOOR
            ours = (*ours, "attributes")
        elif len(attributes) < _wire.ATTRIBUTES_MAX:
            event["attributes"] = {**_wire.DOOR, **attributes}
        texts = self._texts or frozenset()
        if kind == "interaction" and "interaction" not in texts:
            event.pop("text", None)
        elif kind == "note" and event.get("topic") == "feedback" and "feedback" not in texts:
            event.pop("text", None)
        elif kind == "operation" and get("error") is not None and "error" not in texts and isinstance(event["error"], Mapping):
            event["error"] = {key: value for key, value in event["error"].items() if key != "text"}
        checked = _wire.checked(event, _wire.written_now(), ours)
        if get("at") is not None and _wire.is_ahead(checked["at"]):
            raise _wire.Invalid("`at` lies more than five minutes in the future; is the clock right?")
        return checked

    def _problem(self, problem: BaseException) -> None:
        self.lost += 1
        self.last_problem = str(problem)
        _LOG.log(logging.WARNING if self.lost == 1 else logging.DEBUG, "not recorded: %s", problem)

    def _pseudonym(self, name: Optional[str]) -> Optional[str]:
        if name is None or self._is_off:
            return None
        try:
            with self._lock:
                return self._opened().identity.pseudonym(name)
        except Exception as error:
            self._problem(error)
            return None

    def operation(
        self,
        operation: str,
        *,
        backend: Optional[str] = None,
        user: Optional[str] = None,
        session: Optional[str] = None,
        persona: Optional[str] = None,
        dry_run: Optional[bool] = None,
        attributes: Optional[Attributes] = None,
    ) -> "Operation":
        """Times a piece of work: a context manager, and a decorator of functions and coroutine functions.

        An exception makes it a failure, and goes on its way. `user` is a name, and becomes a pseudonym.
        """
        shared: Dict[str, Any] = {}
        if user is not None:
            shared["user"] = user
        if session is not None:
            shared["session"] = session
        if persona is not None:
            shared["persona"] = persona
        if dry_run is not None:
            shared["dry_run"] = dry_run
        if attributes is not None:
            shared["attributes"] = attributes
        return Operation(self, operation, backend, shared)

    def session(self, user: str, session: Optional[str] = None, *, attributes: Optional[Attributes] = None) -> str:
        """Records that a person begins to use the product, and returns the id of the session."""
        session = session or f"s-{new_id().replace('-', '')[20:]}"
        self._record_for(user, {"kind": "session", "session": session, "attributes": attributes})
        return session

    def interaction(
        self,
        recognized: Optional[str] = None,
        *,
        correct: Optional[str] = None,
        arm: Optional[str] = None,
        modality: Optional[str] = None,
        index: Optional[int] = None,
        words: Optional[int] = None,
        word_errors: Optional[int] = None,
        text: Optional[str] = None,
        user: Optional[str] = None,
        session: Optional[str] = None,
        persona: Optional[str] = None,
        attributes: Optional[Attributes] = None,
    ) -> str:
        """Records a request that the product had to understand, and returns its id, for a later label.

        `arm` is the arm of an experiment, such as `learning` or `control`. The text is stored only where the configuration
        allows it.
        """
        interaction = new_id()
        event = {
            "kind": "interaction",
            "id": interaction,
            "recognized": recognized,
            "correct": correct,
            "arm": arm,
            "modality": modality,
            "index": index,
            "words": words,
            "word_errors": word_errors,
            "text": text,
            "session": session,
            "persona": persona,
            "attributes": attributes,
        }
        self._record_for(user, event)
        return interaction

    def label(self, interaction: str, correct: str) -> None:
        """Says what an interaction meant: the newest label of an interaction counts."""
        self.record({"kind": "label", "of": interaction, "correct": correct})

    def memory(
        self,
        run: str,
        bytes: int,
        *,
        measure: str = "rss",
        complete: bool = True,
        every_s: Optional[float] = None,
        process: Optional[str] = None,
        pid: Optional[int] = None,
        processes: Optional[int] = None,
        cpu_s: Optional[float] = None,
        tree: Optional[Sequence[Mapping[str, Any]]] = None,
        attributes: Optional[Attributes] = None,
    ) -> None:
        """Records one reading of memory of a running product; `run` is the observation that it is part of, and `tree` says how
        `bytes` divides among its processes: `name`, `bytes`, `pid` and `parent` of each.

        `milepost collect memory` reads a whole tree of processes from outside, and is the better way where it can run.
        """

        def microseconds(seconds: Optional[float]) -> Optional[int]:
            return None if seconds is None else round(seconds * 1e6)

        event = {
            "kind": "memory",
            "run": run,
            "bytes": bytes,
            "measure": measure,
            "complete": complete,
            "every_us": microseconds(every_s),
            "process": process,
            "pid": pid,
            "processes": processes,
            "cpu_us": microseconds(cpu_s),
            "tree": tree,
            "attributes": attributes,
        }
        self.record(event)

    def measurement(
        self,
        name: str,
        value: float,
        *,
        unit: Optional[str] = None,
        source: Optional[str] = None,
        scope: Optional[str] = None,
        attributes: Optional[Attributes] = None,
    ) -> None:
        """Records what something else measured, such as `coverage.statements`, 88, unit `%`."""
        event = {"kind": "measurement", "name": name, "value": value, "unit": unit, "source": source, "scope": scope}
        self.record({**event, "attributes": attributes})

    def note(
        self,
        topic: str,
        text: Optional[str] = None,
        *,
        score: Optional[float] = None,
        version: Optional[str] = None,
        user: Optional[str] = None,
    ) -> None:
        """Records something to remember: `release`, `decision`, `feedback` …"""
        self._record_for(user, {"kind": "note", "topic": topic, "text": text, "score": score, "version": version})

    def _record_for(self, user: Optional[str], event: Mapping[str, Any]) -> None:
        if user is None:
            self.record(event)
            return
        pseudonym = self._pseudonym(user)
        if pseudonym is not None:
            self.record({**event, "user": pseudonym})

    def categorize(self, text: str) -> str:
        """The category of an error's text, by the rules of the configuration and then Milepost's own: as `milepost record` finds it."""
        return self._rules().categorize(text)

    def _rules(self) -> Rules:
        try:
            with self._lock:
                return Rules.defaults() if self._is_off else self._opened().place.rules
        except Exception:
            # Whatever is wrong with the place is told where the event cannot be recorded.
            return Rules.defaults()

    def _ended_by(self, exception: BaseException) -> Tuple[str, Optional[Dict[str, Any]], Optional[int]]:
        """Outcome, error and exit code of an operation that an exception left."""
        try:
            outcome, category, code = outcome_of(exception, self._rules())
            return outcome, {"category": category, "text": _said(exception)} if category else None, code
        except Exception:
            # An exception that cannot say what it is.
            return "failed", {"category": "unknown"}, None

    @property
    def place(self) -> Optional[Tuple[str, Optional[str]]]:
        """The data folder and the configuration's file, where events go; None where nothing is recorded."""
        try:
            with self._lock:
                opened = None if self._is_off else self._opened()
            return None if opened is None or opened.place.data is None else (opened.place.data, opened.place.config)
        except Exception as error:
            self._problem(error)
            return None

    def close(self) -> None:
        """Gives up the segment, so that others may seal it. Recording goes on in another one."""
        with self._lock:
            segment, self._segment = self._segment, None
            if segment is not None:
                segment.close()

    def _after_fork(self) -> None:
        # Another thread of the parent may have held the lock, and it is not here to give it back.
        self._lock = threading.RLock()
        if self._segment is not None:
            self._segment.close()
            self._segment = None


_ALL: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _after_fork() -> None:
    for recorder in list(_ALL):
        recorder._after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _said(exception: BaseException) -> Optional[str]:
    try:
        return str(exception)[:8192] or None
    except Exception:  # One that cannot say what it is.
        return None


class Operation:
    """One use of one of the product's functions: timed from `with` to its end."""

    __slots__ = ("_recorder", "_shared", "operation", "backend", "_outcome", "_error", "_exit_code", "_since")

    def __init__(self, recorder: Recorder, operation: str, backend: Optional[str], shared: Dict[str, Any]) -> None:
        self._recorder = recorder
        self._shared = shared
        self.operation = operation
        #: Which implementation did the work: often known only inside.
        self.backend = backend
        self._outcome: Optional[str] = None
        self._error: Optional[Dict[str, Any]] = None
        self._exit_code: Optional[int] = None
        self._since = 0

    def fail(self, category: str = "unknown", text: Optional[str] = None, exit_code: Optional[int] = None) -> None:
        """Says that it failed, where no exception does. The text is stored only where the configuration allows it."""
        self._outcome, self._exit_code = "failed", exit_code
        self._error = {"category": category, "text": text}

    def cancel(self) -> None:
        """Says that somebody ended it: it is shown and not judged."""
        self._outcome = "cancelled"

    def dry_run(self) -> None:
        """Says that it only showed what it would do: it is recorded and never counted."""
        self._shared = {**self._shared, "dry_run": True}

    def __enter__(self) -> "Operation":
        self._since = time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], exception: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        elapsed = (time.perf_counter_ns() - self._since) // 1000
        if exception is not None:
            self._outcome, self._error, self._exit_code = self._recorder._ended_by(exception)
        facts: Dict[str, Any] = {"operation": self.operation, "outcome": self._outcome or "ok"}
        if self.backend is not None:
            facts["backend"] = self.backend
        if self._exit_code is not None:
            facts["exit_code"] = self._exit_code
        if self._error is not None:
            facts["error"] = self._error
        facts.update(self._shared)
        self._recorder._record_operation(elapsed, facts)

    def __call__(self, function: _F) -> _F:
        """As a decorator: each call is an operation of its own."""

        def again() -> "Operation":
            return Operation(self._recorder, self.operation, self.backend, self._shared)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def timed_later(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return await function(*args, **kwargs)

            return cast(_F, timed_later)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with again():
                return function(*args, **kwargs)

        return cast(_F, timed)
