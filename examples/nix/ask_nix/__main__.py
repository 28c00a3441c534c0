"""`python -m ask_nix "install firefox"`, or without words a conversation."""

import argparse
import getpass
import sys

from .assistant import Assistant, Person
from .backends import Home, Subprocess, native


def main() -> int:
    parser = argparse.ArgumentParser(prog="ask_nix", description=__doc__)
    parser.add_argument("words", nargs="*", help="what you would like to do")
    parser.add_argument("--user", default=getpass.getuser())
    parser.add_argument(
        "--backend", choices=("native", "subprocess"), default="native", help="native where the database can tell"
    )
    args = parser.parse_args()

    home = Home.of_environment()
    packages = frozenset(name.rsplit("-", 1)[0] for name in Subprocess(home, args.user).search(""))
    reader = native(home, args.user) if args.backend == "native" else None
    assistant = Assistant(home, Person(args.user), packages, native=reader)
    assistant.begin()
    requests = [" ".join(args.words)] if args.words else iter(lambda: input("> "), "")
    failed = False
    try:
        for heard in requests:
            reply = assistant.ask(heard)
            print(*(reply.lines if reply.error is None else [reply.error]), sep="\n")
            failed = reply.error is not None
    except (EOFError, KeyboardInterrupt):
        print()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
