"""The one place where the classes read what Milepost knows: `milepost report full --format json`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Dict, List, Sequence

import milepost

from . import _commands

#: How long a report may take, in seconds.
TIMEOUT_S = 120
VERSION = 1


class ReportError(RuntimeError):
    """The report could not be read. It says why, and what to do."""


def program() -> str:
    """The `milepost` program: MILEPOST_PROGRAM, else the one on the PATH."""
    found = os.environ.get("MILEPOST_PROGRAM") or shutil.which("milepost")
    if not found:
        raise ReportError("there is no program `milepost` on the PATH: install it, or name it in MILEPOST_PROGRAM")
    return found


def command(*arguments: str) -> List[str]:
    """The program with these arguments, and the configuration that the recorder found."""
    place = milepost.recorder.place
    config = ["--config", place[1]] if place and place[1] else []
    return [program(), *arguments, *config]


def environment() -> Dict[str, str]:
    """An environment in which the program works on the data that the recorder writes."""
    place = milepost.recorder.place
    return {**os.environ, "MILEPOST_DATA": place[0]} if place else dict(os.environ)


def run(arguments: Sequence[str]) -> str:
    """Runs the program and returns what it prints.

    Raises ReportError where it cannot be run, takes too long or refuses.
    """
    try:
        done = subprocess.run(
            command(*arguments), env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ReportError(f"`milepost {' '.join(arguments)}` did not end within {TIMEOUT_S} s") from None
    except OSError as error:
        raise ReportError(f"cannot run `milepost {' '.join(arguments)}`: {error}") from None
    if done.returncode != 0:
        raise ReportError(f"`milepost {' '.join(arguments)}` failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "replace")


def read() -> Dict[str, Any]:
    """All that Milepost knows by now, what these classes still hold back included."""
    _commands.flush()
    text = run(["report", "full", "--format", "json"])
    try:
        report = json.loads(text)
    except ValueError as error:
        raise ReportError(f"`milepost report` did not print JSON: {error}") from None
    if not isinstance(report, dict) or report.get("version") != VERSION:
        raise ReportError(f"`milepost report` printed another version than {VERSION}: use a client that is as new as the program")
    return report
