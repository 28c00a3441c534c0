"""Where the data are, and what the configuration says that a client has to know: found as the program finds it."""

from __future__ import annotations

import os
from typing import Any, Dict, FrozenSet, Mapping, Optional

from ._error_category import Rule, Rules

try:
    import tomllib
except ImportError:  # Before Python 3.11.
    tomllib = None  # type: ignore[assignment, unused-ignore]

#: The version of what milepost.toml is written in.
FORMAT = 1


class Place:
    """The data folder, and what may be recorded into it."""

    def __init__(
        self,
        data: Optional[str],
        texts: FrozenSet[str] = frozenset(),
        version: Optional[str] = None,
        config: Optional[str] = None,
        rules: Optional[Rules] = None,
    ) -> None:
        #: None where nothing says where the data are.
        self.data = data
        #: Which texts may be stored: `error`, `interaction`, `feedback`.
        self.texts = texts
        #: The product's version.
        self.version = version
        #: The configuration's file; None where there is none.
        self.config = config
        #: What puts the text of an error into a category: the rules of the configuration, then Milepost's own.
        self.rules = rules or Rules.defaults()

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ, folder: Optional[str] = None) -> "Place":
        """`MILEPOST_DATA`, else what milepost.toml says, else `.milepost` beside it, else the project's folder in the data home.

        Before Python 3.11 there is no reader of TOML: then `MILEPOST_DATA` or a `.milepost` folder has to be there, and no text
        is allowed.
        """
        home = environment.get("HOME", "")
        path = environment.get("MILEPOST_CONFIG") or _upwards(folder or os.getcwd())
        if not path:
            at_home = os.path.join(environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "milepost", "milepost.toml")
            path = at_home if os.path.isfile(at_home) else None
        config = _read(path)
        project = config.get("project", {})
        texts = frozenset(config.get("privacy", {}).get("texts", []))
        data = environment.get("MILEPOST_DATA")
        if not data and path:
            beside = os.path.dirname(os.path.abspath(path))
            stored = config.get("store", {}).get("path")
            if stored:
                data = os.path.join(beside, stored)
            elif os.path.isdir(os.path.join(beside, ".milepost")):
                data = os.path.join(beside, ".milepost")
            elif isinstance(project.get("name"), str):
                at_home = environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
                data = os.path.join(at_home, "milepost", folder_name(project["name"]))
        given = [Rule(rule["category"], tuple(rule["any"])) for rule in config.get("error_category", [])]
        found = None if path is None else os.path.abspath(path)
        return cls(data or None, texts, project.get("version"), found, Rules.defaults().with_first(given))


def _upwards(folder: str) -> Optional[str]:
    while True:
        path = os.path.join(folder, "milepost.toml")
        if os.path.isfile(path):
            return path
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _read(path: Optional[str]) -> Dict[str, Any]:
    if path is None or tomllib is None:
        return {}
    with open(path, "rb") as file:
        config = tomllib.load(file)
    if config.get("format", FORMAT) != FORMAT:
        raise ValueError(f"{path} is of format {config['format']!r}, and this client reads format {FORMAT}: upgrade it")
    return config


def folder_name(project: str) -> str:
    """The name of a project as the name of a folder, as the program writes it."""
    name = ""
    for index, character in enumerate(project):
        is_control = ord(character) < 32 or 127 <= ord(character) < 160
        if character in "/\\%" or is_control or (index == 0 and character == "."):
            name += "".join(f"%{byte:02X}" for byte in character.encode())
        else:
            name += character
    return name
