"""API keys: programs act for a company by secrets of which only hashes are kept.

A key holds permissions of its own, or those that a service account has at the moment. Nobody gives
by a key what they lack, and whoever gets a new secret of a key is given what the key may.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Annotated, Final, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.access.people import KeyId
from domain.access.roles import NOBODY, PERMISSIONS_MAX, Giver
from domain.access.scopes import GRANT
from domain.access.services import ServiceAccountId, no_account
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import (
    Boundary,
    Command,
    Event,
    Filled,
    Found,
    Key,
    Refused,
    Secret,
    State,
    Value,
)

KeySecretId = NewType("KeySecretId", str)

NETWORKS_MAX: Final = 20
FORMER_MAX: Final = 2
"""Former secrets that hold for a while yet; rotated oftener, the oldest falls away."""

OVERLAP_HOURS: Final = 24
OVERLAP_HOURS_MAX: Final = 720
DAYS_USUAL: Final = 90
DAYS_MAX: Final = 36_500

KeyName: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="Of a program. Name nobody in it.")
]
KeyPermissions: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(pattern=rf"^\*$(?!\n)|{GRANT}")], ...],
    Meta(max_length=PERMISSIONS_MAX, description="What it may, unless it is of an account."),
]
Networks: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(min_length=2, max_length=50)], ...],
    Meta(
        max_length=NETWORKS_MAX,
        description="Where it may be used from, such as 192.0.2.0/24; none: from anywhere.",
    ),
]
Ends: TypeAlias = Annotated[
    Annotated[datetime, Meta(tz=True)] | None,
    Meta(description="Until when it holds; left out: as long as is usual here."),
]
Never: TypeAlias = Annotated[bool, Meta(description="It holds until it is revoked.")]


class ApiKeyCreated(Event):
    """A program may act for a tenant. Of its secret the SHA-256 is kept, in hex."""

    key: Key[KeyId]
    tenant: Key[TenantId]
    name: str
    secret_sha256: str
    permissions: tuple[str, ...]
    expires_at: datetime | None = None
    secret_id: KeySecretId | None = None
    networks: tuple[str, ...] = ()
    service_account: Key[ServiceAccountId] | None = None


class ApiKeyRotated(Event):
    """The key has a new secret. Those it had hold until a time, and not a moment longer."""

    key: Key[KeyId]
    tenant: Key[TenantId]
    secret_id: KeySecretId
    secret_sha256: str
    former_until: datetime
    expires_at: datetime | None


class ApiKeyRevoked(Event):
    """None of the secrets of the key holds. An older event does not say whose key it was."""

    key: Key[KeyId]
    tenant: Key[TenantId] | None = None


KeyEvent: TypeAlias = ApiKeyCreated | ApiKeyRotated | ApiKeyRevoked


class KeySecret(Value):
    """What is kept of a secret, and until when it holds; None: until its key is revoked."""

    sha256: str
    until: datetime | None = None
    secret_id: KeySecretId | None = None


class ApiKey(State):
    """What a key may, where from, and by which secrets; the current one stands last."""

    tenant: TenantId | None = None
    permissions: tuple[str, ...] = ()
    service_account: ServiceAccountId | None = None
    networks: tuple[str, ...] = ()
    secrets: tuple[KeySecret, ...] = ()
    revoked: bool = False

    def evolve(self, event: KeyEvent) -> "ApiKey":
        match event:
            case ApiKeyCreated():
                return ApiKey(
                    tenant=event.tenant,
                    permissions=event.permissions,
                    service_account=event.service_account,
                    networks=event.networks,
                    secrets=(_kept(event),),
                )
            case ApiKeyRotated():
                former = tuple(_until(each, event.former_until) for each in self.secrets)
                return replace(self, secrets=(*former[-FORMER_MAX:], _kept(event)))
            case ApiKeyRevoked():
                return replace(self, revoked=True)


class KeyDays(Value):
    """For how long keys are made here.

    Attributes:
        usual: Where nobody says.
        most: At the most; 0: for any time that anybody can mean, and for ever if that is asked for.

    """

    usual: int = DAYS_USUAL
    most: int = 0

    def end(self, at: datetime, asked: datetime | None, *, never: bool) -> datetime | None:
        """Say when a key ends that is made now; None: never."""
        if never and asked is not None:
            raise Refused(
                "access.key_end_unclear",
                "The key is to end at a time, and never.",
                hint="Leave out `expires_at` or `never_expires`.",
            )
        if never and not self.most:
            return None
        most = self.most or DAYS_MAX
        end = asked or at + timedelta(days=min(self.usual, most))
        if never or end > at + timedelta(days=most):
            raise Refused(
                "access.key_too_long",
                f"Keys hold for {most} days at the most here.",
                hint="Ask for less, and rotate the key before it ends.",
            )
        if end <= at:
            raise Refused(
                "access.key_ended",
                f"The key would have ended at {end.isoformat()}.",
                hint="Name a time ahead in `expires_at`.",
            )
        return end


KEY_DAYS: Final = KeyDays()


class Issue(Value):
    """A secret that is given out: for whom, when, by whom, and what it opens.

    Attributes:
        tenant: The company of whoever asks.
        at: The time now.
        opens: What whoever has the secret may; None: there is no such account.

    """

    tenant: TenantId = SYSTEM_TENANT
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    days: KeyDays = KEY_DAYS
    giver: Giver = NOBODY
    opens: frozenset[str] | None = frozenset()


NOTHING: Final = Issue()


class CreateApiKey(Command):
    """Let a program act for the company. The answer shows its key, this once.

    It may what is said here, or what a service account may at the moment.
    """

    key: Filled[Found[KeyId]]
    secret_id: Filled[Found[KeySecretId]]
    secret: Found[Secret[str]]
    name: KeyName
    permissions: KeyPermissions | None = None
    service_account: ServiceAccountId | None = None
    networks: Networks = ()
    expires_at: Ends = None
    never_expires: Never = False
    issue: Found[Issue] = NOTHING

    def boundary(self) -> tuple[Boundary[ApiKey]]:
        return (ApiKey.at(key=self.key),)

    def decide(self, key: ApiKey) -> Iterator[KeyEvent]:
        if key.tenant is not None:
            raise Refused("access.key_taken", f"There is a key {self.key}.", hint="Ask again.")
        if (self.permissions is None) == (self.service_account is None):
            raise Refused(
                "access.key_rights_unclear",
                "A key has permissions of its own, or is of a service account.",
                hint="Name either `permissions` or `service_account`.",
            )
        if self.issue.opens is None:
            raise no_account(self.service_account)
        self.issue.giver.check(self.issue.opens)
        yield ApiKeyCreated(
            key=self.key,
            tenant=self.issue.tenant,
            name=self.name,
            secret_id=self.secret_id,
            secret_sha256=self.secret,
            permissions=tuple(sorted({*(self.permissions or ())})),
            service_account=self.service_account,
            networks=_networks(self.networks),
            expires_at=self.issue.days.end(
                self.issue.at, self.expires_at, never=self.never_expires
            ),
        )


class RotateApiKey(Command):
    """Give a key a new secret, which the answer shows once. The former one holds for a while."""

    key: KeyId
    secret_id: Filled[Found[KeySecretId]]
    secret: Found[Secret[str]]
    overlap_hours: Annotated[
        int,
        Meta(ge=0, le=OVERLAP_HOURS_MAX, description="How long the former secret goes on."),
    ] = OVERLAP_HOURS
    expires_at: Ends = None
    never_expires: Never = False
    issue: Found[Issue] = NOTHING

    def boundary(self) -> tuple[Boundary[ApiKey]]:
        return (ApiKey.at(key=self.key),)

    def decide(self, key: ApiKey) -> Iterator[KeyEvent]:
        if key.tenant != self.issue.tenant:
            raise _absent(self.key)
        if key.revoked:
            raise Refused(
                "access.key_revoked", f"The key {self.key} is revoked.", hint="Make another."
            )
        if self.issue.opens is None:
            raise no_account(key.service_account)
        self.issue.giver.check(self.issue.opens)
        yield ApiKeyRotated(
            key=self.key,
            tenant=self.issue.tenant,
            secret_id=self.secret_id,
            secret_sha256=self.secret,
            former_until=self.issue.at + timedelta(hours=self.overlap_hours),
            expires_at=self.issue.days.end(
                self.issue.at, self.expires_at, never=self.never_expires
            ),
        )


class RevokeApiKey(Command):
    """Lock a program out, for ever. Revoking again changes nothing."""

    key: KeyId
    tenant: Found[TenantId | None] = None  # Whose it must be; None: anybody's.

    def boundary(self) -> tuple[Boundary[ApiKey]]:
        return (ApiKey.at(key=self.key),)

    def decide(self, key: ApiKey) -> Iterator[KeyEvent]:
        if key.tenant is None or self.tenant not in {None, key.tenant}:
            raise _absent(self.key)
        if not key.revoked:
            yield ApiKeyRevoked(key=self.key, tenant=key.tenant)


def _kept(event: ApiKeyCreated | ApiKeyRotated) -> KeySecret:
    return KeySecret(sha256=event.secret_sha256, until=event.expires_at, secret_id=event.secret_id)


def _until(secret: KeySecret, until: datetime) -> KeySecret:
    """Let a former secret end at *until*, or when it would have ended anyway."""
    return replace(secret, until=min(until, secret.until or until))


def _networks(given: Iterable[str]) -> tuple[str, ...]:
    """Write networks as they are written everywhere, each once."""
    found: list[str] = []
    for each in given:
        try:
            found.append(str(ip_network(each)))
        except ValueError:
            raise Refused(
                "access.bad_network",
                f"{each} is no network.",
                hint="Write 192.0.2.0/24, or one address; behind the length there are zeros.",
            ) from None
    return tuple(dict.fromkeys(found))


def _absent(key: KeyId) -> Refused:
    return Refused("access.key_absent", f"There is no key {key}.", hint="List them.")
