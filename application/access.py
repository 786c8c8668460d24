"""Access: how keys are written and told apart, and what an owner of a tenant may do."""

import re
from collections.abc import Iterable
from typing import Final, TypedDict

from application.kernel import Exposed, exposed_commands
from application.secret_text import SECRET_LENGTH
from application.vault import Vault
from domain.access import (
    CreateApiKey,
    Email,
    EmailClaim,
    EmailDigest,
    KeyId,
    RegisterUser,
    RotateApiKey,
    UserId,
)
from domain.kernel import Boundary

COMMANDS = (Exposed(command=RegisterUser, permission="access.user.register", system=True),)

KEY_TEXT: Final = re.compile(rf"ask_([0-9a-f-]{{36}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})", re.ASCII)

READ_LOG: Final = "audit.event.read"
READ_SECURITY: Final = "access.security.read"
READ_SCHEMA: Final = "graphql.schema.read"
SEND_DOCUMENTS: Final = "graphql.document.send"
OF_OWNERS: Final = frozenset({READ_LOG, READ_SECURITY, READ_SCHEMA, SEND_DOCUMENTS})
ACROSS: Final = "tenants.tenant.administer"
"""The permission to see which companies there are, and not only one's own."""

OF_OPERATORS: Final = frozenset(
    {"tenants.tenant.create", "tenants.tenant.rename", "tenants.tenant.suspend", ACROSS}
)
"""What reaches beyond a tenant, and so is no owner's to give."""


class EmailFields(TypedDict):
    """The fields of RegisterUser that an address decides."""

    email: Email
    email_digest: EmailDigest


class KeyText(TypedDict):
    """A key as its holder sends it, taken apart."""

    key: KeyId
    secret: str


async def email_digest(vault: Vault, email: str) -> EmailDigest:
    """Make what stands for an address in the log, where it must not be told.

    It is the same however the address is capitalised, as hardly any mail server tells them apart.
    """
    return EmailDigest(await vault.digest(email.strip().casefold()))


async def email_fields(vault: Vault, email: str) -> EmailFields:
    """Return an address as it was written, with what stands for it in the log."""
    return EmailFields(email=Email(email), email_digest=await email_digest(vault, email))


async def claims_of(vault: Vault, email: str) -> tuple[Boundary[EmailClaim], ...]:
    """Name by what an address may have an account: its digest, and what stood for it before.

    Digests once told capitals apart, and before that addresses were tags.
    """
    former = EmailDigest(await vault.digest(email))
    return (
        EmailClaim.at(email_digest=await email_digest(vault, email)),
        EmailClaim.at(email_digest=former),
        EmailClaim.at(email=email),
    )


def claimed_by(claims: Iterable[EmailClaim]) -> UserId | None:
    """Say whose an address is; None: nobody's."""
    return next((each.user for each in claims if each.user is not None), None)


def api_key_text(command: CreateApiKey | RotateApiKey) -> str:
    """Write the key that a command gives out, as its holder is to send it."""
    return f"ask_{command.key}_{command.secret}"


def read_api_key(text: str) -> KeyText | None:
    """Take apart what ``api_key_text`` wrote; None where it can't be a key."""
    found = KEY_TEXT.fullmatch(text)
    return KeyText(key=KeyId(found[1]), secret=found[2]) if found else None


def owner_permissions(readable: Iterable[str]) -> tuple[str, ...]:
    """List what an owner of a tenant may do: every public command, and *readable*.

    Each is named, so that a permission that comes later is given, not assumed.
    """
    commands = (e.permission for e in exposed_commands().values() if e.route is not None)
    return tuple(sorted({*commands, *readable, *OF_OWNERS} - OF_OPERATORS))
