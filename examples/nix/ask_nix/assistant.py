"""The assistant: understands, does, and tells Milepost how it went."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import milepost

from .backends import Home, Native, Subprocess
from .configuration import OPTIONS, as_nix, configuration_for
from .understanding import Memory, Request, Understanding, word_errors


@dataclass
class Person:
    """Who asks. `arm` is the arm of the experiment: whether the assistant learns from this person's corrections."""

    user: str
    persona: Optional[str] = None
    arm: str = "control"
    session: Optional[str] = None
    interactions: int = 0


@dataclass
class Reply:
    """What came of a request: `interaction` is what a correction refers to."""

    interaction: str
    request: Request
    lines: list[str] = field(default_factory=list)
    error: Optional[str] = None


class NotUnderstood(Exception):
    """No intent was recognised, so nothing was done."""


class Assistant:
    """Helps one person. With `native`, what Nix's database can tell is read from there."""

    def __init__(self, home: Home, person: Person, packages: frozenset[str], *, native: Optional[Native] = None) -> None:
        self._person = person
        self._home = home
        self._subprocess = Subprocess(home, person.user)
        self.native = native
        memory = Memory() if person.arm == "learning" else None
        self._understanding = Understanding(packages | OPTIONS.keys(), memory)

    def begin(self) -> None:
        self._person.session = milepost.session(self._person.user)

    def ask(self, heard: str, *, spoken: Optional[str] = None) -> Reply:
        """`heard` is the request as the assistant has it; of one that was spoken, `spoken` is what was really said."""
        person = self._person
        person.interactions += 1
        request = self._understanding.recognize(heard)
        words, errors = (None, None) if spoken is None else word_errors(spoken, heard)
        interaction = milepost.interaction(
            request.intent,
            arm=person.arm,
            modality="text" if spoken is None else "voice",
            index=person.interactions,
            words=words,
            word_errors=errors,
            text=heard,
            user=person.user,
            session=person.session,
            persona=person.persona,
        )
        reply = Reply(interaction, request)
        try:
            reply.lines = self._do(request)
        except Exception as error:  # Whatever went wrong is said, and the next request is listened to.
            reply.error = str(error)
        return reply

    def correct(self, reply: Reply, heard: str, intent: str) -> None:
        """The person says what a request meant, or that it was understood."""
        milepost.label(reply.interaction, intent)
        self._understanding.learn(heard, intent)

    def _do(self, request: Request) -> list[str]:
        if request.intent is None:
            raise NotUnderstood("I did not understand that. What would you like to do?")
        person = self._person
        with milepost.operation(request.intent, user=person.user, session=person.session, persona=person.persona) as operation:
            reader = self.native if request.intent in ("list_installed", "search_packages") else None
            backend = reader or self._subprocess
            operation.backend = backend.name
            subject = request.subject or ""
            if request.intent == "list_installed":
                return backend.installed()
            if request.intent == "search_packages":
                return backend.search(subject)
            if request.intent == "generate_config":
                return self._configure(subject)
            if request.intent == "list_generations":
                return self._subprocess.generations()
            done = {
                "install_package": lambda: self._subprocess.install(subject, request.for_everyone),
                "remove_package": lambda: self._subprocess.remove(subject),
                "update_system": self._subprocess.update,
                "rollback": self._subprocess.rollback,
            }
            done[request.intent]()
            return ["Done."]

    def _configure(self, subject: str) -> list[str]:
        """Writes a configuration, and keeps it only if Nix accepts it."""
        wanted: Path = self._home.profile(self._person.user).with_suffix(".nix")
        draft = wanted.with_suffix(".draft.nix")
        text = as_nix(configuration_for(subject))
        draft.write_text(text, encoding="utf-8")
        self._subprocess.evaluate(draft)
        draft.replace(wanted)
        return text.splitlines()
