"""From words to an intent: fixed rules, and what a person has taught."""

import re
from dataclasses import dataclass
from typing import AbstractSet, Optional

#: What can be asked for, each with the words that speak for it. Names are those of the product's operations.
RULES: dict[str, frozenset[str]] = {
    "install_package": frozenset({"install", "add", "get", "setup"}),
    "search_packages": frozenset({"search", "find", "look", "which", "available"}),
    "generate_config": frozenset({"config", "configuration", "configure", "enable", "settings"}),
    "list_installed": frozenset({"list", "installed", "show"}),
    "remove_package": frozenset({"remove", "uninstall", "delete"}),
    "update_system": frozenset({"update", "upgrade"}),
    "rollback": frozenset({"rollback", "undo", "back"}),
    "list_generations": frozenset({"generations", "history"}),
}

#: How much of two requests has to be the same for one to be understood as the other.
ALIKE = 0.6


@dataclass(frozen=True)
class Request:
    """What a request was understood to mean."""

    intent: Optional[str]
    subject: Optional[str] = None
    for_everyone: bool = False


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z0-9][a-z0-9.+-]*", text.lower().replace("'", ""))


class Memory:
    """What one person has taught: requests in their own words, with what they meant."""

    def __init__(self) -> None:
        self._taught: dict[frozenset[str], str] = {}

    def teach(self, text: str, intent: str, subjects: AbstractSet[str]) -> None:
        self._taught[frozenset(words_of(text)) - subjects] = intent

    def recall(self, text: str, subjects: AbstractSet[str]) -> Optional[str]:
        """The intent of the most similar request that was taught (Jaccard index), if it is similar enough."""
        words = frozenset(words_of(text)) - subjects
        similar = [(len(words & taught) / (len(words | taught) or 1), intent) for taught, intent in self._taught.items()]
        likeness, intent = max(similar, default=(0.0, ""))
        return intent if likeness >= ALIKE else None


class Understanding:
    """Recognises requests about these subjects (names of packages)."""

    def __init__(self, subjects: AbstractSet[str], memory: Optional[Memory] = None) -> None:
        self._subjects = subjects
        self._memory = memory

    def recognize(self, text: str) -> Request:
        words = words_of(text)
        intent = self._memory.recall(text, self._subjects) if self._memory is not None else None
        if intent is None:
            intent = by_rules(frozenset(words))
        return Request(intent, self._subject(words), "everyone" in words)

    def learn(self, text: str, intent: str) -> None:
        """A person says what a request meant. Without a memory, nothing is learned."""
        if self._memory is not None:
            self._memory.teach(text, intent, self._subjects)

    def _subject(self, words: list[str]) -> Optional[str]:
        """The package that is asked for: one that is known, else the last word, which may be one that is not there."""
        known = [word for word in words if word in self._subjects]
        named = known or words
        return named[-1] if named else None


def by_rules(words: AbstractSet[str]) -> Optional[str]:
    """The intent that most words speak for; none where no word does, or as many for another."""
    scores: list[tuple[int, str]] = sorted(((len(words & speaks), intent) for intent, speaks in RULES.items()), reverse=True)
    (best, intent), (second, _) = scores[0], scores[1]
    return intent if best > second else None


def word_errors(reference: str, heard: str) -> tuple[int, int]:
    """Words of the reference, and how many were substituted, deleted or inserted (the edit distance of words)."""
    said, got = words_of(reference), words_of(heard)
    row = list(range(len(got) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return len(said), row[-1]
