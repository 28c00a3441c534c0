"""The wire format: what an event may say. One JSON object for each line, the same in every language.

`KINDS` lists the keys of each kind; a test compares it with the JSON Schema of the format.
"""

from __future__ import annotations

import functools
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, List, Optional, Tuple

VERSION = 1
LINE_BYTES_MAX = 256 * 1024
NAME_BYTES_MAX = 16 * 1024
TEXT_BYTES_MAX = 64 * 1024
ATTRIBUTES_MAX = 64
DURATION_US_MAX = 366 * 24 * 3600 * 1_000_000
MEMORY_BYTES_MAX = 1 << 50
TREE_PROCESSES_MAX = 64
PROCESS_NAME_BYTES_MAX = 64
COUNT_MAX = 1 << 53
AHEAD_MAX = timedelta(minutes=5)

Event = Dict[str, Any]
Check = Callable[[str, Any], Any]


class Invalid(ValueError):
    """Not an event that could be read back."""


def _name(key: str, value: Any) -> str:
    # Almost every name: nothing more to look at.
    if type(value) is str and 0 < len(value) <= 1024 and value.isascii():
        return value
    text = _text_of(key, value, NAME_BYTES_MAX)
    if not text:
        raise Invalid(f"`{key}` is empty")
    return text


def _text(key: str, value: Any) -> str:
    return _text_of(key, value, TEXT_BYTES_MAX)


def _text_of(key: str, value: Any, most: int) -> str:
    if not isinstance(value, str):
        raise Invalid(f"`{key}` is no text: {value!r:.64}")
    # A quarter of the limit is within it in any script, and most names are that short.
    if len(value) > most // 4 or not value.isascii():
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise Invalid(f"`{key}` has half a character, which UTF-8 cannot write") from None
        if size > most:
            raise Invalid(f"`{key}` has {size} bytes, {most} are the most")
    return value


def _whole(most: int, least: int = 0) -> Check:
    def check(key: str, value: Any) -> int:
        if type(value) is int and least <= value <= most:
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            raise Invalid(f"`{key}` is no whole number: {value!r:.64}")
        if not least <= value <= most:
            raise Invalid(f"`{key}` is {value}, which is {'too large to be true' if value > most else 'less than it can be'}")
        return value

    return check


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Invalid(f"`{key}` is no number: {value!r:.64}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Invalid(f"`{key}` is not a finite number")
    return number


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"`{key}` is neither true nor false: {value!r:.64}")
    return value


def _one_of(*words: str) -> Check:
    known = frozenset(words)

    def check(key: str, value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise Invalid(f"`{key}` is {value!r:.64}; there are {', '.join(words)}")
        return value

    return check


def _error(key: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping) or not set(value) <= {"category", "text"} or value.get("category") is None:
        raise Invalid(f"`{key}` has a category and at most a text: {value!r:.64}")
    error = {"category": _name(f"{key}.category", value["category"])}
    if value.get("text") is not None:
        error["text"] = _text(f"{key}.text", value["text"])
    return error


def _object(key: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"`{key}` is no object: {value!r:.64}")
    return dict(value)


_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


#: The most characters of a plain text.
PLAIN_MAX = 64
_PLAIN = re.compile(rf"[ -!#-\[\]-~]{{1,{PLAIN_MAX}}}")


def is_plain(value: Any) -> bool:
    """Whether a value is a short text that JSON writes as it is."""
    return type(value) is str and _PLAIN.fullmatch(value) is not None


def moment(key: str, value: Any) -> datetime:
    """A point in time: RFC 3339 or a datetime that has an offset. What is finer than a microsecond is cut off."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Invalid(f"`{key}` has no time zone: {value}")
        at = value.astimezone(timezone.utc)
    else:
        match = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Invalid(f"`{key}` is {value!r:.64}, and not a time in RFC 3339 such as 2026-11-24T21:13:00Z")
        date, clock, fraction, offset = match.groups()
        offset = "+00:00" if offset in "Zz" else offset
        try:
            at = datetime.fromisoformat(f"{date}T{clock}.{(fraction or '').ljust(6, '0')[:6]}{offset}").astimezone(timezone.utc)
        except (ValueError, OverflowError):
            raise Invalid(f"`{key}` is {value!r:.64}, and no such time exists") from None
    if at.year < 1970:
        raise Invalid(f"`{key}` lies before 1970")
    return at


def written(at: datetime) -> str:
    """A moment in UTC as the wire has it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _at(key: str, value: Any) -> str:
    return written(moment(key, value))


def written_now() -> str:
    """This moment as the wire has it."""
    seconds, ns = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{ns // 1000:06d}Z"


@functools.lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


_OPERATION: Dict[str, Check] = {
    "operation": _name,
    "outcome": _one_of("ok", "failed", "timeout", "cancelled"),
    "backend": _name,
    "duration_us": _whole(DURATION_US_MAX),
    "exit_code": _whole((1 << 63) - 1, -(1 << 63)),
    "error": _error,
    "cpu_us": _whole(DURATION_US_MAX),
    "peak_bytes": _whole(MEMORY_BYTES_MAX),
    "peak_measure": _one_of("pss", "rss", "maxrss", "cgroup"),
    "dry_run": _flag,
    "sample": _name,
}
def _tree(key: str, value: Any) -> List[Dict[str, Any]]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or len(value) > TREE_PROCESSES_MAX:
        raise Invalid(f"`{key}` is no list of at most {TREE_PROCESSES_MAX} processes: {value!r:.64}")
    return [_process(key, of) for of in value]


def _process(key: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping) or not {"name", "bytes"} <= set(value) <= set(_PROCESS):
        raise Invalid(f"`{key}` has processes with `name`, `bytes`, `pid` and `parent`: {value!r:.64}")
    return {name: check(f"{key}.{name}", value[name]) for name, check in _PROCESS.items() if value.get(name) is not None}


def _process_name(key: str, value: Any) -> str:
    if not value:
        raise Invalid(f"`{key}` is empty")
    return _text_of(key, value, PROCESS_NAME_BYTES_MAX)


_PROCESS: Dict[str, Check] = {
    "name": _process_name,
    "bytes": _whole(MEMORY_BYTES_MAX),
    "pid": _whole(COUNT_MAX),
    "parent": _whole(COUNT_MAX),
}
_MEMORY: Dict[str, Check] = {
    "run": _name,
    "bytes": _whole(MEMORY_BYTES_MAX),
    "measure": _one_of("pss", "rss", "maxrss", "cgroup"),
    "complete": _flag,
    "every_us": _whole(DURATION_US_MAX),
    "process": _name,
    "pid": _whole(COUNT_MAX),
    "processes": _whole(COUNT_MAX),
    "cpu_us": _whole(DURATION_US_MAX),
    "tree": _tree,
}
_INTERACTION: Dict[str, Check] = {
    "recognized": _name,
    "correct": _name,
    "arm": _name,
    "modality": _name,
    "index": _whole(COUNT_MAX),
    "words": _whole(COUNT_MAX),
    "word_errors": _whole(COUNT_MAX),
    "text": _text,
}
_NOTE: Dict[str, Check] = {
    "topic": _one_of("release", "feedback", "decision", "exclude", "sample"),
    "text": _text,
    "score": _number,
    "from": _at,
    "to": _at,
    "sample": _name,
    "operation": _name,
    "backend": _name,
    "size": _whole(COUNT_MAX, 1),
    "criterion": _name,
    "undoes": _name,
}

#: For each kind the keys that it has of its own, those that it requires first, and how many these are.
KINDS: Dict[str, Tuple[Dict[str, Check], int]] = {
    "operation": (_OPERATION, 2),
    "session": ({}, 0),
    "memory": (_MEMORY, 4),
    "interaction": (_INTERACTION, 0),
    "label": ({"of": _name, "correct": _name}, 2),
    "measurement": ({"name": _name, "value": _number, "unit": _name, "source": _name, "scope": _name}, 2),
    "note": (_NOTE, 1),
    "criterion": ({"name": _name, "evidence_key": _name, "definition": _object}, 2),
    "verdict": (
        {
            "criterion": _name,
            "evidence_key": _name,
            "verdict": _one_of("met", "missed", "not_proven", "no_data", "stale"),
            "n": _whole(COUNT_MAX),
        },
        3,
    ),
}


#: The attributes of an event to which its sender gave none: the door that it came in by.
DOOR: Dict[str, Any] = {"door": "python"}


def _attributes(key: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"`attributes` is no object: {value!r:.64}")
    if len(value) > ATTRIBUTES_MAX:
        raise Invalid(f"there are {len(value)} attributes, {ATTRIBUTES_MAX} are the most")
    found: Dict[str, Any] = {}
    for name, plain in value.items():
        _name("attributes", name)
        if isinstance(plain, str):
            _text_of(f"attributes.{name}", plain, NAME_BYTES_MAX)
        elif isinstance(plain, bool):
            pass
        elif isinstance(plain, int):
            # What does not fit into 64 bits is a number like any other.
            plain = plain if -(1 << 63) <= plain < 1 << 63 else _number(f"attributes.{name}", plain)
        elif isinstance(plain, float):
            _number(f"attributes.{name}", plain)
        else:
            raise Invalid(f"the attribute `{name}` is neither text, number, true nor false: {plain!r:.64}")
        found[name] = plain
    return found


_BEFORE: Dict[str, Check] = {"id": _name, "at": _at, "origin": _one_of("use", "probe", "test", "import")}
_AFTER: Dict[str, Check] = {
    **dict.fromkeys(("user", "session", "persona", "version", "commit", "host"), _name),
    "attributes": _attributes,
}
#: For each kind all keys in their order, and whether they have to be there.
_ORDERED: Dict[str, Tuple[Tuple[str, Check, bool], ...]] = {
    kind: (
        *((key, check, key == "at") for key, check in _BEFORE.items()),
        *((key, check, index < required) for index, (key, check) in enumerate(own.items())),
        *((key, check, False) for key, check in _AFTER.items()),
    )
    for kind, (own, required) in KINDS.items()
}
_SHARED = frozenset({"v", "kind", *_BEFORE, *_AFTER})
_KEYS = {kind: _SHARED.union(own) for kind, (own, _) in KINDS.items()}


@functools.lru_cache(maxsize=256)
def _looked_at(kind: str, keys: Tuple[str, ...], ours: Tuple[str, ...]) -> Tuple[Tuple[str, Optional[Check], bool], ...]:
    """Of an event with these keys, those that have to be looked at, in their order: a program sends a few shapes again and again.
    Of those that are ours, there is nothing to check."""
    if not _KEYS[kind].issuperset(keys):
        raise Invalid(f"unknown key `{next(key for key in keys if key not in _KEYS[kind])!r:.64}`")
    there = (ordered for ordered in _ORDERED[kind] if ordered[2] or ordered[0] in keys)
    return tuple((key, None if key in ours else check, is_required) for key, check, is_required in there)


def checked(event: Mapping[str, Any], now: Optional[str] = None, ours: Tuple[str, ...] = ()) -> Event:
    """The event as it stands on the wire: keys in their order, absent ones left out, values within their limits. `now` stands for
    `at` where that is absent; the values of the keys in `ours` are known to be right.

    Raises Invalid with the first key whose value makes no sense, and why.
    """
    version = event.get("v")
    if version != VERSION or version is True:
        raise Invalid(f"the version `v` is {version!r:.64}, and this client knows {VERSION}")
    kind = event.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Invalid(f"`{kind!r:.64}` is no kind; there are {', '.join(KINDS)}")
    found: Event = {"v": VERSION, "kind": kind}
    get = event.get
    for key, check, is_required in _looked_at(kind, tuple(event), ours):
        value = get(key)
        if value is not None:
            found[key] = value if check is None else check(key, value)
        elif is_required:
            if key != "at" or now is None:
                raise Invalid(f"`{key}` is missing")
            found[key] = now
    if "attributes" in found and not found["attributes"]:
        del found["attributes"]
    if kind in ("session", "note"):
        _together(found)
    return found


def _together(event: Event) -> None:
    if event["kind"] == "session" and "session" not in event:
        raise Invalid("`session` is missing")
    if event["kind"] == "note":
        required: Tuple[str, ...] = ()
        if event["topic"] == "sample":
            required = ("sample", "operation", "size")
        elif event["topic"] == "exclude" and "undoes" not in event:
            required = ("from", "to")
        for key in required:
            if key not in event:
                raise Invalid(f"`{key}` is missing")
        if "from" in event and "to" in event and event["to"] < event["from"]:
            raise Invalid("`to` lies before `from`")


def _no_duplicates(pairs: Any) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("a key stands twice")
    return found


def _no_constant(name: str) -> float:
    raise Invalid(f"{name} is no number in JSON")


def parsed(line: str) -> Event:
    """The event on a line. Raises Invalid."""
    try:
        event = json.loads(line, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError:
        raise Invalid("the line is nested too deeply") from None
    except ValueError as error:
        raise error if isinstance(error, Invalid) else Invalid(f"the line is no JSON: {error}") from None
    if not isinstance(event, dict):
        raise Invalid("the line is no JSON object")
    return checked(event)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _encode() -> Callable[[Any], str]:
    """What `_ENCODER.encode` does without making its encoder anew for each event, which takes a third of the time. The standard
    library names the parts and does not document them, so where they are missing or other ones, the long way is taken."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    escape: Any = getattr(json.encoder, "c_encode_basestring", None)
    try:
        encoder = make(None, _ENCODER.default, escape, None, ":", ",", False, False, False)
        shapes = {"text": '"\\\n\u2028ä', "whole": 1 << 60, "number": 0.1, "flags": [True, False, None], "within": {"a": {}}}
        if "".join(encoder(shapes, 0)) == _ENCODER.encode(shapes):
            return lambda event: "".join(encoder(event, 0))
    except Exception:
        pass
    return _ENCODER.encode


_encoded = _encode()


def line(event: Event) -> bytes:
    """A checked event as one record of the spool: a line feed, the JSON and a line feed."""
    record = f"\n{_encoded(event)}\n".encode()
    if len(record) - 2 > LINE_BYTES_MAX:
        raise Invalid(f"the line has {len(record) - 2} bytes, {LINE_BYTES_MAX} are the most")
    return record


def is_ahead(at: str, now: Optional[datetime] = None) -> bool:
    """Whether a moment lies further ahead than clocks of two machines differ."""
    return moment("at", at) > (now or datetime.now(timezone.utc)) + AHEAD_MAX
