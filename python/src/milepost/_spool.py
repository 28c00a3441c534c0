"""The spool: append-only files that every door writes, by the protocol of ARCHITECTURE.md, "The spool"."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from typing import Any, Dict, List, Optional

LAYOUT_VERSION = 1
SEGMENT_BYTES_MAX = 64 * 1024 * 1024
SEGMENT_AGE_MAX_S = 60 * 60
_SMALL = 64 * 1024


class SpoolError(OSError):
    """The spool could not do what it was asked to do."""


#: Random numbers of 64 bits, fetched many at a time: asking the system for each costs as much as the rest of an id.
_RANDOM: List[str] = []
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

# A child that went on with its parent's numbers would give the same ids.
os.register_at_fork(after_in_child=_RANDOM.clear)


def new_id() -> str:
    """A UUIDv7 (RFC 9562): the time in microseconds, then 62 random bits, so that ids rise with time."""
    ms, rest = divmod(time.time_ns(), 1_000_000)
    # Not `random`: a host that seeds it alike in each process would give two events one id.
    try:
        random = _RANDOM.pop()
    except IndexError:
        fetched = os.urandom(8 * 64).hex()
        _RANDOM.extend(fetched[at : at + 16] for at in range(16, len(fetched), 16))
        random = fetched[:16]
    return f"{_millisecond(ms)}{(rest << 12) // 1_000_000:03x}-{_VARIANT[random[0]]}{random[1:4]}-{random[4:]}"


@functools.lru_cache(maxsize=2)
def _millisecond(ms: int) -> str:
    digits = f"{ms:012x}"
    return f"{digits[:8]}-{digits[8:]}-7"


def _check_folder(folder: str) -> None:
    """Refuses a folder into which another account may put files in the place of ours."""
    try:
        there = os.stat(folder)
    except FileNotFoundError:
        return
    if os.geteuid() != 0 and there.st_uid not in (0, os.geteuid()):
        raise SpoolError(f"{folder}: this folder belongs to another account, whose id is {there.st_uid}: name a folder of your own")
    if there.st_mode & 0o002:
        raise SpoolError(f"{folder}: everybody may write to this folder: chmod o-w, or name a folder below it")


def _create_once(path: str, content: bytes) -> None:
    """Makes a file with this content unless there is one, and never one with a part of it."""
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)


def _read_small(path: str) -> Dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        text = file.read(_SMALL)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SpoolError(f"{path}: this cannot be read ({error}); restore it from a backup, or move it away") from None
    if not isinstance(found, dict) or not isinstance(found.get("version"), int):
        raise SpoolError(f"{path}: this has no version; restore it from a backup, or move it away")
    if found["version"] > LAYOUT_VERSION:
        raise SpoolError(f"{path} has version {found['version']}, and this client reads version {LAYOUT_VERSION}: upgrade it")
    return found


class Identity:
    """Who this machine is to Milepost: a random name, and the key under which names of people become pseudonyms."""

    def __init__(self, data: str) -> None:
        path = os.path.join(data, "identity.json")
        if not os.path.exists(path):
            new = {"version": 1, "host": f"h-{uuid.uuid4().hex[:12]}", "key": secrets.token_hex(32)}
            _create_once(path, json.dumps(new, separators=(",", ":")).encode())
        found = _read_small(path)
        host, key = found.get("host"), found.get("key")
        if not isinstance(host, str) or not isinstance(key, str):
            raise SpoolError(f"{path}: this is no identity; restore it from a backup, or remove it: people then get new pseudonyms")
        self.host = host
        self._key = key.encode()
        #: The same few people come again and again.
        self.pseudonym = functools.lru_cache(maxsize=1024)(self._pseudonym)

    def _pseudonym(self, name: str) -> str:
        """`u-` and 16 hexadecimal digits of HMAC-SHA256: the same as every other door of this machine gives."""
        return "u-" + hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:16]


class Segment:
    """A segment of one long-lived recorder, locked as long as it is open: each record is one write and no lock.

    It is sealed by whoever seals next, once its lock is free.
    """

    def __init__(self, spool: "Spool") -> None:
        name = f"own-{os.getpid()}-{uuid.uuid4().hex}.jsonl"
        self.path = os.path.join(spool.folder, name)
        while True:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                # Somebody who seals may have found the new file before it was locked.
                if _is_at(file, self.path):
                    break
            except BaseException:
                os.close(file)
                raise
            os.close(file)
        self._file = file
        self._bytes = 0
        self._since = time.monotonic()

    @property
    def is_full(self) -> bool:
        return self._bytes >= SEGMENT_BYTES_MAX or time.monotonic() - self._since >= SEGMENT_AGE_MAX_S

    def append(self, record: bytes) -> None:
        written = os.write(self._file, record)
        self._bytes += written
        if written != len(record):
            # The part is a torn line, which readers set aside.
            raise SpoolError(f"wrote {written} of {len(record)} bytes to {self.path}: is the disk full?")

    def close(self) -> None:
        """In a child after a fork this closes the child's copy only: the parent's lock stays."""
        os.close(self._file)


def _is_at(file: int, path: str) -> bool:
    there = os.fstat(file)
    try:
        named: Optional[os.stat_result] = os.stat(path)
    except FileNotFoundError:
        named = None
    return named is not None and (named.st_dev, named.st_ino) == (there.st_dev, there.st_ino)


class Spool:
    """A folder of segments, made where it is missing and readable by its owner only."""

    def __init__(self, data: str) -> None:
        self.folder = os.path.join(data, "spool")
        for folder in data, self.folder:
            _check_folder(folder)
        if not os.path.isdir(self.folder):
            os.makedirs(data, mode=0o700, exist_ok=True)
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        path = os.path.join(self.folder, "spool.json")
        if not os.path.exists(path):
            os.close(os.open(os.path.join(self.folder, "seal.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            _create_once(path, json.dumps({"version": LAYOUT_VERSION, "id": new_id().replace("-", "")}).encode())
        _read_small(path)
