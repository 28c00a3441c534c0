"""Puts the text of an error into a category, by the rules of `crates/milepost-collect/src/error_category.rs`.

That file says what the categories mean and why the rules are as they are. The default rules are generated from it
(`generate_rules.py`), and the tests compare both over all texts that Milepost's own rules are tested with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ._error_rules import DEFAULTS

UNKNOWN = "unknown"
TEXT_BYTES_MAX = 8 * 1024
RULES_MAX = 100
PATTERNS_MAX = 100
PATTERN_BYTES_MAX = 200
CATEGORY_BYTES_MAX = 64


@dataclass(frozen=True)
class Rule:
    """Any of the patterns puts a text into the category."""

    category: str
    any: tuple[str, ...]


class Rules:
    """Ordered rules: the first that matches anywhere in a text decides."""

    def __init__(self, ordered: Iterable[tuple[str, Sequence[str]]]) -> None:
        self._ordered = tuple(ordered)
        # Made ready once they are needed: most processes see no failure.
        self._ready: list[tuple[str, list[_Pattern]]] | None = None

    @staticmethod
    def defaults() -> Rules:
        """The rules that hold without any configuration."""
        return _DEFAULTS

    def with_first(self, rules: Sequence[Rule]) -> Rules:
        """Places rules before these, so that they win.

        :raises ValueError: names the first rule that cannot be used.
        """
        if len(rules) > RULES_MAX:
            raise ValueError(f"{len(rules)} error categories are given, {RULES_MAX} are the most")
        for rule in rules:
            if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", rule.category) or len(rule.category) > CATEGORY_BYTES_MAX:
                raise ValueError(f"error category {rule.category!r}: a name is lower snake case, such as rate_limit")
            if not 0 < len(rule.any) <= PATTERNS_MAX:
                raise ValueError(f"error category {rule.category!r} has {len(rule.any)} patterns, not 1 to {PATTERNS_MAX}")
            for text in rule.any:
                usable = len(text.encode()) <= PATTERN_BYTES_MAX and "\n" not in text and "\r" not in text
                if not usable or not any(character.isalnum() for character in text):
                    raise ValueError(f"error category {rule.category!r}: pattern {text!r} cannot be used")
        return Rules((*((rule.category, rule.any) for rule in rules), *self._ordered))

    def categorize(self, text: str) -> str:
        """The category of an error text; `unknown` where no rule matches."""
        if self._ready is None:
            self._ready = [(category, [_Pattern(text) for text in patterns]) for category, patterns in self._ordered]
        lines = _relevant_lines(text)
        for category, patterns in self._ready:
            if any(pattern.is_in(lines) for pattern in patterns):
                return category
        return UNKNOWN


class _Pattern:
    """A pattern made ready: lower case, split at its stars into what has to follow one another within a line."""

    __slots__ = ("_first", "_pieces")

    def __init__(self, text: str) -> None:
        parts = _normal(text).split("*")
        pieces = [
            (part.strip(), index == 0 or part.startswith(" "), index == len(parts) - 1 or part.endswith(" "))
            for index, part in enumerate(parts)
        ]
        self._pieces = [piece for piece in pieces if piece[0]]
        self._first = self._pieces[0][0] if self._pieces else ""

    def is_in(self, lines: str) -> bool:
        if not self._first or self._first not in lines:
            return False
        start = 0
        while True:
            end = _end_in(self._pieces[0], lines, start)
            if end < 0:
                return False
            line_end = lines.find("\n", end)
            line = lines if line_end < 0 else lines[:line_end]
            for piece in self._pieces[1:]:
                end = _end_in(piece, line, end)
                if end < 0:
                    break
            else:
                return True
            # The earliest first piece of a line leaves the most room to the others: only later lines are left to try.
            start = len(line)


def _end_in(piece: tuple[str, bool, bool], text: str, start: int) -> int:
    """Where the earliest occurrence at or after `start` ends; -1 where there is none."""
    word, starts_at_edge, ends_at_edge = piece
    while True:
        start = text.find(word, start)
        if start < 0:
            return -1
        end = start + len(word)
        if (not starts_at_edge or _is_edge(text, start)) and (not ends_at_edge or _is_edge(text, end)):
            return end
        start += 1


def _is_edge(text: str, at: int) -> bool:
    return not (0 < at < len(text) and _is_word(text[at - 1]) and _is_word(text[at]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


_DEFAULTS = Rules(DEFAULTS)

#: Words of lines that tell of trouble which the program got over.
GRUMBLES = ("retrying in ", "tries remaining", "sudo: unable to resolve host")


def _relevant_lines(text: str) -> str:
    """The end of a text, made comparable, without source lines that are quoted and attempts that were made again."""
    lines = _plain(_tail(text)).split("\n")
    kept = []
    below_frame: int | None = None
    in_excerpt = False
    for number, line in enumerate(lines):
        content = line.lstrip(" \t|")
        indent = len(line) - len(content)
        in_excerpt = _NUMBERED.match(line) is not None or (in_excerpt and line.lstrip().startswith("|"))
        quoted = (
            in_excerpt
            or (below_frame is not None and indent > below_frame)
            or _is_underline(line)
            or (number + 1 < len(lines) and _is_underline(lines[number + 1]))
        )
        if not content or quoted:
            continue
        if content.startswith('File "') and '", line ' in content:
            below_frame = indent
            continue
        below_frame = None
        normal = _normal(content)
        if not any(grumble in normal for grumble in GRUMBLES):
            kept.append(normal + "\n")
    return "".join(kept)


def _tail(text: str) -> str:
    if len(text) * 4 <= TEXT_BYTES_MAX:
        return text
    return text.encode("utf-8", "replace")[-TEXT_BYTES_MAX:].decode("utf-8", "ignore")


_NUMBERED = re.compile(r"\s*[0-9]+\s*\|")
# Colours, links and other orders to a terminal.
_ESCAPE = re.compile(
    "\x1b(?:\\[[ -?]*[@-~]?"  # ESC [ 31 m
    "|\\][^\x07\x1b\n\r]*(?:\x1b\\\\?|\x07)?"  # ESC ] 8 ; ; address BEL
    "|[ -/]*[0-~]?)"  # ESC ( B
)
_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"}
_CONTROL_TABLE: dict[int, str | None] = {**_CONTROL, ord("\r"): "\n"}
_QUOTES = str.maketrans("‘’`“”", "'''\"\"")  # noqa: RUF001


def _plain(text: str) -> str:
    return _ESCAPE.sub("", text).translate(_CONTROL_TABLE)


def _normal(line: str) -> str:
    return " ".join(line.split()).translate(_QUOTES).lower()


def _is_underline(line: str) -> bool:
    return "^" in line and not line.strip(" \t^~")
