"""Credentials as people look at them: all but the secret, which is in no row and no event."""

from datetime import datetime

from msgspec.structs import replace

from domain.credentials import (
    CredentialEvent,
    CredentialName,
    CredentialRevoked,
    CredentialRotated,
    CredentialStored,
    CredentialUsed,
    Fingerprint,
    Kind,
    Status,
)
from projections.kernel import Indexed, ReadModel, Row


class CredentialRow(Row):
    """What opens a system outside: its version, its expiry and its last use, never the secret.

    Equal secrets of a tenant have equal fingerprints; without the tenant's key a fingerprint tells
    nothing.
    """

    credential: CredentialName
    kind: Indexed[Kind]
    version: int
    fingerprint: Fingerprint
    expires_at: Indexed[datetime | None]
    status: Indexed[Status] = "active"
    last_used_at: datetime | None = None
    last_used_for: str | None = None


class Credentials(ReadModel[CredentialRow]):
    name = "credentials"
    row = CredentialRow
    key = "credential"
    permission = "credentials.secret.read"

    @staticmethod
    def apply(row: CredentialRow | None, event: CredentialEvent) -> CredentialRow | None:
        if isinstance(event, CredentialStored):
            return CredentialRow(
                credential=event.credential,
                kind=event.kind,
                version=event.version,
                fingerprint=event.fingerprint,
                expires_at=event.expires_at,
            )
        assert row is not None, "A credential is stored before anything else happens to it."
        match event:
            case CredentialRotated():
                return replace(
                    row,
                    version=event.version,
                    fingerprint=event.fingerprint,
                    expires_at=event.expires_at,
                )
            case CredentialRevoked():
                return replace(row, status="revoked")
            case CredentialUsed():
                return replace(row, last_used_at=event.at, last_used_for=event.purpose)
