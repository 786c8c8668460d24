"""The keyring: the master keys of an instance, which wrap the keys of data subjects.

They come from ASIENTO_MASTER_KEYS, or from a file that is made once. The first is the current.
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.embedded.files import write_private
from adapters.private import made_once
from adapters.sealing import seal, unseal
from adapters.settings import Settings
from application.errors import Malformed, Unavailable

FILE: Final = "master-keys"
IN_FILE: Final = f"the file {FILE} under ASIENTO_DATA"
KEY_BYTES: Final = 32
ID_LENGTH_MAX: Final = 64
SET: Final = "ASIENTO_MASTER_KEYS"

log = structlog.get_logger()


class Keyring:
    """Wraps keys with the current master key, and unwraps them with the one that wrapped them."""

    def __init__(self, keys: Mapping[str, bytes], file: Path | None = None) -> None:
        self._keys = dict(keys)
        self._file = file
        self._read_at = _changed_at(file)
        self._proven: tuple[str, bytes] | None = None

    @property
    def current(self) -> str:
        """The id of the master key that wraps what is wrapped from now on."""
        self._read_again()
        return next(iter(self._keys))

    @property
    def file(self) -> Path | None:
        """Where the keys lie; None where a setting holds them."""
        return self._file

    @property
    def proven(self) -> bool:
        """Whether the current master key, as it is now, is known to be the right one."""
        current = self.current
        return self._proven == (current, self._keys[current])

    def prove(self, master: str, wrapped: Sequence[tuple[bytes, bytes]]) -> None:
        """See that *master* opens one of what it wrapped, each with its *about*.

        Another key under its id would wrap what nobody can read once the right one is back.
        One is enough: a damaged row is no reason to stop all tenants.

        Raises:
            Unavailable: It opens none of them.

        """
        if wrapped and all(self._opened(master, each, about) is None for each, about in wrapped):
            raise self._wrong(master)
        self._proven = (master, self._keys[master])

    def wrap(self, key: bytes, about: bytes) -> tuple[str, bytes]:
        """Return the id of the current master key, and *key* wrapped by it."""
        master = self.current
        return master, seal(AESGCM(self._keys[master]), key, about)

    def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
        """Return the key that ``wrap`` was given.

        Raises:
            Unavailable: The master key is not here, or is another than it was.

        """
        if master not in self._keys:
            self._read_again()
        if master not in self._keys:
            raise Unavailable(
                "privacy.master_key_absent",
                f"The master key {master} is not in {self._place}.",
                hint="Put it back: personal data can't be read without it. Nothing was lost yet.",
            )
        key = self._opened(master, wrapped, about)
        if key is None and self._read_again():
            key = self._opened(master, wrapped, about)
        if key is None:
            raise self._wrong(master)
        return key

    def add(self) -> str:
        """Make a new current master key in the file, and return its id. The former ones stay."""
        assert self._file is not None, "What a setting holds is changed there."
        write_private(self._file, _new_line().encode() + self._file.read_bytes())
        return self.current

    @property
    def _place(self) -> str:
        return IN_FILE if self._file else SET

    def _opened(self, master: str, wrapped: bytes, about: bytes) -> bytes | None:
        if master not in self._keys:
            return None
        try:
            return unseal(AESGCM(self._keys[master]), wrapped, about)
        except (InvalidTag, ValueError):  # The latter for what is too short to be a nonce.
            return None

    def _wrong(self, master: str) -> Unavailable:
        return Unavailable(
            "privacy.wrong_master_key",
            f"The master key {master} in {self._place} is not the one that wrapped this key.",
            hint="Put the right one back, under its id. Nothing was lost yet.",
        )

    def _read_again(self) -> bool:
        """Look whether somebody has changed the file; tell whether there is something new.

        What can't be read leaves a running process the keys that it has.
        """
        changed_at = _changed_at(self._file)
        if self._file is None or changed_at in {0, self._read_at}:
            return False
        self._read_at = changed_at
        try:
            self._keys = read_keys(self._file.read_text().split(), IN_FILE)
        except (Malformed, OSError, UnicodeDecodeError) as error:
            log.warning("keyring.unreadable", reason=type(error).__name__)
            return False
        return True


def open_keyring(settings: Settings) -> Keyring:
    """Read the master keys of an instance; where there are none, make the first.

    Raises:
        Malformed: They can't be read.

    """
    if settings.asiento_master_keys:
        return Keyring(read_keys(settings.asiento_master_keys.split(","), SET))
    file = settings.data / FILE
    return Keyring(read_keys(made_once(file, _new_line).split(), IN_FILE), file)


def read_keys(entries: list[str], place: str) -> dict[str, bytes]:
    """Read ``id:base64`` entries.

    Raises:
        Malformed: One is no key of 32 bytes, or two have one id.

    """
    keys: dict[str, bytes] = {}
    for entry in entries:
        name, _, text = entry.strip().partition(":")
        key = b""
        with suppress(ValueError):
            key = b64decode(text, validate=True)
        fits = 0 < len(name) <= ID_LENGTH_MAX and name.isprintable() and name not in keys
        if not fits or len(key) != KEY_BYTES:
            raise Malformed(
                "settings.bad_master_key",
                f"Entry {len(keys) + 1} of {place} is no master key of its own id.",
                hint=f"Write ID:BASE64 of {KEY_BYTES} random bytes, as `openssl rand -base64 32`.",
            )
        keys[name] = key
    if not keys:
        raise Malformed(
            "settings.bad_master_key",
            f"There is no master key in {place}.",
            hint="Restore it from where you keep a copy.",
        )
    return keys


def _new_line() -> str:
    """Write a new key under an id that no other key has."""
    key = secrets.token_bytes(KEY_BYTES)
    return f"{sha256(key).hexdigest()[:12]}:{b64encode(key).decode()}\n"


def _changed_at(file: Path | None) -> int:
    """Return when the file was written; 0 where there is none, or none any more."""
    try:
        return file.stat().st_mtime_ns if file is not None else 0
    except FileNotFoundError:
        return 0
