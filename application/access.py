"""Access: how keys are made and told apart, and what an owner of a tenant may do."""

import re
import secrets
from collections.abc import Iterable
from hashlib import sha256
from string import ascii_letters, digits
from typing import Final, TypedDict

from application.kernel import Exposed, exposed_commands, new_id
from application.ports import Clock
from application.vault import Vault
from domain.access import (
    CreateApiKey,
    Email,
    EmailDigest,
    KeyId,
    RegisterUser,
    RevokeApiKey,
)

COMMANDS = (
    Exposed(command=RegisterUser, permission="access.user.register", system=True),
    Exposed(command=CreateApiKey, permission="access.key.create", system=True),
    Exposed(command=RevokeApiKey, permission="access.key.revoke", system=True),
)

SECRET_BYTES: Final = 32
ALPHABET: Final = digits + ascii_letters
SECRET_LENGTH: Final = 43  # Base 62 digits of 32 bytes.
KEY_TEXT: Final = re.compile(rf"ask_([0-9a-f-]{{36}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})", re.ASCII)

READ_LOG: Final = "audit.event.read"
READ_SCHEMA: Final = "graphql.schema.read"
SEND_DOCUMENTS: Final = "graphql.document.send"
OF_OWNERS: Final = frozenset({READ_LOG, READ_SCHEMA, SEND_DOCUMENTS})
OF_OPERATORS: Final = frozenset(
    {"tenants.tenant.create", "tenants.tenant.rename", "tenants.tenant.suspend"}
)
"""What reaches beyond a tenant, and so is no owner's to give."""


class KeyFields(TypedDict):
    """The fields of CreateApiKey that a new key decides."""

    key: KeyId
    secret_sha256: str


class EmailFields(TypedDict):
    """The fields of RegisterUser that an address decides."""

    email: Email
    email_digest: EmailDigest


class KeyText(TypedDict):
    """A key as its holder sends it, taken apart."""

    key: KeyId
    secret: str


async def email_fields(vault: Vault, email: str) -> EmailFields:
    """Return an address with what stands for it in the log, where it must not be told."""
    digest = EmailDigest(await vault.digest(email))
    return EmailFields(email=Email(email), email_digest=digest)


def new_api_key(clock: Clock) -> tuple[str, KeyFields]:
    """Make a key: the text that is shown once, and what is kept of it.

    The secret has 256 random bits, so that a fast hash protects it as well as a slow one.
    """
    key = KeyId(new_id(clock.now()))
    secret = _base62(secrets.token_bytes(SECRET_BYTES))
    return f"ask_{key}_{secret}", KeyFields(key=key, secret_sha256=digest(secret))


def read_api_key(text: str) -> KeyText | None:
    """Take apart what ``new_api_key`` made; None where it can't be a key."""
    found = KEY_TEXT.fullmatch(text)
    return KeyText(key=KeyId(found[1]), secret=found[2]) if found else None


def digest(secret: str) -> str:
    """Return what is kept of a key's secret."""
    return sha256(secret.encode()).hexdigest()


def owner_permissions(readable: Iterable[str]) -> tuple[str, ...]:
    """List what an owner of a tenant may do: every public command, and *readable*.

    Each is named, so that a permission that comes later is given, not assumed.
    """
    commands = (e.permission for e in exposed_commands().values() if e.route is not None)
    return tuple(sorted({*commands, *readable, *OF_OWNERS} - OF_OPERATORS))


def _base62(secret: bytes) -> str:
    number, text = int.from_bytes(secret), ""
    for _ in range(SECRET_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        text += ALPHABET[place]
    return text
