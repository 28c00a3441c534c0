"""Ten personas use the assistant, two people each: one in each arm of the experiment.

What they say is a script (people.json), and so is what a recogniser of speech would have mistaken. What becomes of it is not:
the requests are understood or not, Nix does or does not do what was asked for, and Milepost is told.
"""

import argparse
import json
import multiprocessing
import random
import time
from pathlib import Path
from typing import Iterator

from ask_nix.assistant import Assistant, Person
from ask_nix.backends import Home, Subprocess, native
from ask_nix.configuration import OPTIONS

#: How often each thing is asked for, of a hundred requests.
WEIGHTS = {
    "install_package": 24,
    "search_packages": 28,
    "list_installed": 24,
    "generate_config": 12,
    "remove_package": 6,
    "list_generations": 4,
    "rollback": 3,
    "update_system": 3,
}

#: What speech is taken for, and of ten times how many.
MISHEARD = {"install": "in stall", "firefox": "fire fox", "configure": "can figure", "remove": "re move", "krita": "greeter"}
MISHEARD_OF_TEN = 2

#: After so many requests a person is done for now, and comes back later.
REQUESTS_A_SESSION = 22


def requests(persona: dict[str, dict[str, list[str]]], packages: list[str], luck: random.Random) -> Iterator[tuple[str, str]]:
    """What a person of this persona says, again and again, and what it means."""
    phrases = persona["requests"]
    intents = [intent for intent in WEIGHTS if intent in phrases]
    weights = [WEIGHTS[intent] for intent in intents]
    options = list(OPTIONS)
    while True:
        (intent,) = luck.choices(intents, weights)
        # One in forty is asked for by a name that nothing has.
        package = "frobnicator" if luck.randrange(40) == 0 else luck.choice(packages)
        yield luck.choice(phrases[intent]).format(package=package, option=luck.choice(options)), intent


def misheard(spoken: str, luck: random.Random) -> str:
    words = (MISHEARD.get(word, word) if luck.randrange(10) < MISHEARD_OF_TEN else word for word in spoken.split())
    return " ".join(words)


def use(task: tuple[Path, str, str, int]) -> tuple[str, str, int, int]:
    """One person uses the assistant: how many requests were understood, and how many were done."""
    folder, name, arm, times = task
    home = Home(folder)
    persona = json.loads((Path(__file__).parent / "people.json").read_text(encoding="utf-8"))[name]
    luck = random.Random(f"{name} {arm}")
    user = f"{name}-{arm}"
    packages = sorted(entry.rsplit("-", 1)[0] for entry in Subprocess(home, user).search(""))
    assistant = Assistant(home, Person(user, name, arm), frozenset(packages))
    reader = native(home, user)
    understood = done = 0
    said = requests(persona, packages, luck)
    for index in range(times):
        # Whether the native backend is there differs from session to session, so that the two can be compared.
        session, before = divmod(index, REQUESTS_A_SESSION)
        if before == 0:
            assistant.native = reader if session % 2 == 0 else None
            assistant.begin()
        spoken, meant = next(said)
        heard = misheard(spoken, luck) if persona.get("speaks") else spoken
        reply = assistant.ask(heard, spoken=spoken if persona.get("speaks") else None)
        assistant.correct(reply, heard, meant)
        understood += reply.request.intent == meant
        done += reply.error is None
    return name, arm, understood, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=110, help="of each person (default: %(default)s)")
    args = parser.parse_args()
    home = Home.of_environment()
    personas = json.loads((Path(__file__).parent / "people.json").read_text(encoding="utf-8"))
    tasks = [(home.folder, name, arm, args.requests) for name in personas for arm in ("control", "learning")]
    since = time.monotonic()
    print(f"{len(tasks)} people, {args.requests} requests each.")
    print(f"{'persona':<14}{'arm':<10}{'understood':>10}{'done':>8}")
    with multiprocessing.Pool(2) as pool:
        for name, arm, understood, done in pool.imap(use, tasks):
            print(f"{name:<14}{arm:<10}{understood / args.requests:>10.0%}{done / args.requests:>8.0%}", flush=True)
    print(f"{len(tasks) * args.requests} requests in {time.monotonic() - since:.0f} s.")


if __name__ == "__main__":
    main()
