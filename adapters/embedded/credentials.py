"""The servers' passwords: made once, random, readable by us alone."""

import secrets

import msgspec

from adapters.embedded.files import write_private
from adapters.embedded.places import Places


def _password() -> str:
    return secrets.token_hex(24)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """One password for each who logs in."""

    postgres: str = msgspec.field(default_factory=_password)
    asiento: str = msgspec.field(default_factory=_password)
    valkey: str = msgspec.field(default_factory=_password)


def credentials(places: Places) -> Credentials:
    """Return the instance's passwords, made now if there are none."""
    if not places.credentials.exists():
        write_private(places.credentials, msgspec.json.encode(Credentials()))
    return msgspec.json.decode(places.credentials.read_bytes(), type=Credentials)
