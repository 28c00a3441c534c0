"""Two ways to the same Nix: its commands, and its own database, which is only read."""

import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Optional

PACKAGES = Path(__file__).resolve().parent.parent / "packages"

#: Nobody listens here: the channel of a machine without a network.
CHANNEL = "http://127.0.0.1:9/channel.tar.gz"

#: Who has no rights.
NOBODY = 65534

#: No command of this example takes longer.
TIMEOUT_S = 60


class NixError(Exception):
    """A command of Nix failed; the message is what it said."""

    def __init__(self, said: str, returncode: int) -> None:
        super().__init__(said)
        self.returncode = returncode


class Home:
    """A Nix of its own in one folder: store, database, profiles. Nothing of the machine's Nix is touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_environment(cls) -> "Home":
        """The folder in `ASK_NIX_HOME`, else one of the user's; made where it is not there yet."""
        folder = os.environ.get("ASK_NIX_HOME")
        home = cls(Path(folder).resolve() if folder else Path.home() / ".local/state/ask_nix")
        if not home.database.exists():
            home.prepare()
        return home

    @property
    def environment(self) -> dict[str, str]:
        config = (
            "sandbox = false",
            "build-users-group =",
            "experimental-features = nix-command flakes",
            "substituters =",
            "flake-registry =",
            "download-attempts = 1",
        )
        return {
            **os.environ,
            "ASK_NIX_HOME": str(self.folder),
            "NIX_STORE_DIR": str(self.folder / "store"),
            "NIX_STATE_DIR": str(self.folder / "var"),
            "NIX_LOG_DIR": str(self.folder / "log"),
            "NIX_CONF_DIR": str(self.folder / "etc"),
            "NIX_USER_CONF_FILES": os.devnull,
            "NIX_REMOTE": "",
            "NIX_PATH": "",
            "NIX_CONFIG": "\n".join(config),
            "HOME": str(self.folder / "user"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    @property
    def database(self) -> Path:
        return self.folder / "var/db/db.sqlite"

    @property
    def shared_profile(self) -> Path:
        return self.folder / "everyone/profile"

    def profile(self, user: str) -> Path:
        return self.folder / "profiles" / user

    def prepare(self) -> None:
        """Makes the folders, and the derivations of all packages, so that the database knows them."""
        for name in ("etc", "user", "profiles", "everyone"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.shared_profile.parent.chmod(0o555)
        Subprocess(self, "prepare").run("nix-instantiate", str(PACKAGES / "packages.nix"))


class Subprocess:
    """Calls the commands of Nix for one user."""

    name = "subprocess"

    def __init__(self, home: Home, user: str) -> None:
        self._home = home
        self._profile = str(home.profile(user))

    def run(self, *command: str, unprivileged: bool = False) -> str:
        """What a command prints. `unprivileged` runs it as nobody where this process is root's."""
        done = subprocess.run(
            command,
            env=self._home.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            user=NOBODY if unprivileged and os.geteuid() == 0 else None,
        )
        if done.returncode != 0:
            raise NixError(done.stderr.strip(), done.returncode)
        return done.stdout

    def _nix_env(self, *args: str) -> str:
        return self.run("nix-env", "--profile", self._profile, *args)

    def install(self, package: str, for_everyone: bool = False) -> None:
        which = ("--file", str(PACKAGES / "packages.nix"), "--install", "--attr", package)
        if for_everyone:
            self.run("nix-env", "--profile", str(self._home.shared_profile), *which, unprivileged=True)
        else:
            self._nix_env(*which)

    def remove(self, package: str) -> None:
        self._nix_env("--uninstall", package)

    def installed(self) -> list[str]:
        return self._nix_env("--query").split()

    def search(self, text: str) -> list[str]:
        """The packages whose name or description has this text."""
        try:
            found = self.run("nix", "search", f"path:{PACKAGES}", re.escape(text), "--json")
        except NixError as error:
            if "no results for the given search term" in str(error):
                return []  # That is an answer.
            raise
        return sorted(f"{package['pname']}-{package['version']}" for package in json.loads(found).values())

    def update(self) -> None:
        self._nix_env("--file", CHANNEL, "--upgrade")

    def rollback(self) -> None:
        self._nix_env("--rollback")

    def generations(self) -> list[str]:
        return self._nix_env("--list-generations").splitlines()

    def evaluate(self, configuration: Path) -> dict[str, object]:
        """What a configuration says, once its options and packages were checked."""
        command = (
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            str(PACKAGES / "check.nix"),
            "--arg",
            "file",
            str(configuration),
        )
        checked: dict[str, object] = json.loads(self.run(*command))
        return checked


class Native:
    """Reads what it can from Nix's own database: it starts no process, and writes nothing."""

    name = "native"

    def __init__(self, home: Home, user: str) -> None:
        self._home = home
        self._profile = home.profile(user)

    def _paths(self, query: str, *values: str) -> list[str]:
        with closing(sqlite3.connect(f"{self._home.database.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S)) as database:
            return [path for (path,) in database.execute(query, values)]

    def installed(self) -> list[str]:
        try:
            environment = str(self._profile.resolve(strict=True))
        except FileNotFoundError:
            return []  # As nix-env says it of a profile that nothing was ever installed to.
        query = """
            SELECT package.path FROM ValidPaths AS environment
            JOIN Refs ON Refs.referrer = environment.id JOIN ValidPaths AS package ON package.id = Refs.reference
            WHERE environment.path = ? AND package.path NOT LIKE '%-env-manifest.nix' AND package.id <> environment.id
        """
        return sorted(map(name_of, self._paths(query, environment)))

    def search(self, text: str) -> list[str]:
        """The packages whose name has this text; the database holds no descriptions."""
        query = "SELECT path FROM ValidPaths WHERE path LIKE '%.drv' AND path NOT LIKE '%-user-environment.drv'"
        names = (name_of(path)[: -len(".drv")] for path in self._paths(query))
        return sorted(name for name in names if text.lower() in name.lower())


def name_of(store_path: str) -> str:
    """`hello-2.12` of `…/HASH-hello-2.12`."""
    return store_path.rsplit("/", 1)[1].split("-", 1)[1]


def native(home: Home, user: str) -> Optional[Native]:
    """The native backend, where the database can be read."""
    return Native(home, user) if os.access(home.database, os.R_OK) else None
