"""Tenants: companies on the system, each known by one short name for ever.

The books of a company are closed before they are archived, and go only for an archive that was
noted here. Once they are gone, only such an archive brings them back. A company that is suspended
is read as ever, and changes nothing; for one that is closed nobody is let in.
"""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.ids import Country, TenantId
from domain.kernel import Boundary, Command, Event, Filled, Key, Refused, State

Slug = NewType("Slug", str)
TenantIdText = Annotated[
    TenantId, Meta(pattern=f"^{'-'.join(f'[0-9a-f]{{{n}}}' for n in (8, 4, 4, 4, 12))}$")
]
CURRENCIES: Final[dict[Country, str]] = {"ES": "EUR", "EC": "USD"}
SlugText = Annotated[
    Slug, Meta(pattern="^[a-z][a-z0-9-]{1,39}$", description="Lower-case letters, digits, dashes.")
]
SYSTEM_SLUG: Final = Slug("system")
"""What the log is called that belongs to no tenant."""

SUSPENSIONS: Final = "suspended:tenants"
"""The tag by which one look tells who is suspended and who is locked."""

NameText = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[
    str, Meta(min_length=1, max_length=500, description="It is told to whoever is refused.")
]

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Books: TypeAlias = Literal["absent", "open", "closed", "removed"]


class TenantCreated(Event):
    tenant: Key[TenantId]
    slug: Key[Slug]
    name: str
    country: Country


class TenantClosed(Event):
    """The books take nothing more."""

    tenant: Key[TenantId]


class TenantArchived(Event):
    """All of the log is in a file, which was verified. Hashes are SHA-256 in hex."""

    tenant: Key[TenantId]
    file: str
    sha256: str
    events: int
    head: str


class TenantRemoved(Event):
    """The log is nowhere but in its archive."""

    tenant: Key[TenantId]
    archive: str
    events: int
    head: str


class TenantRestored(Event):
    """The log is back from its archive, event by event as it was, and still closed."""

    tenant: Key[TenantId]
    archive: str
    events: int
    head: str


class TenantReopened(Event):
    """The books take events again."""

    tenant: Key[TenantId]


class TenantRenamed(Event):
    """The company is called something else. Its short name stays."""

    tenant: Key[TenantId]
    slug: Key[Slug]
    name: str


class TenantSuspended(Event):
    """The company changes nothing until this ends; all of it can be read."""

    common_tags = frozenset({SUSPENSIONS})

    tenant: Key[TenantId]
    reason: str


class TenantResumed(Event):
    """The company goes on."""

    common_tags = frozenset({SUSPENSIONS})

    tenant: Key[TenantId]


class TenantLocked(Event):
    """Nobody is let in for the company: its sessions, keys and invitations hold no more."""

    common_tags = frozenset({SUSPENSIONS})

    tenant: Key[TenantId]


class TenantUnlocked(Event):
    """Who was let in before is let in again, but for what has run out."""

    common_tags = frozenset({SUSPENSIONS})

    tenant: Key[TenantId]


LockEvent: TypeAlias = TenantLocked | TenantUnlocked
TenantEvent: TypeAlias = (
    TenantCreated
    | TenantClosed
    | TenantArchived
    | TenantRemoved
    | TenantRestored
    | TenantReopened
    | TenantRenamed
    | TenantSuspended
    | TenantResumed
)


class Tenant(State):
    """What is known of a company."""

    slug: str = ""
    name: str = ""
    country: Country = "ES"
    books: Books = "absent"
    suspended: str | None = None  # Why.
    locked: bool = False
    archives: tuple[str, ...] = ()  # The files (SHA-256) that hold the books as they were closed.
    events: int = 0  # How many were archived, and the hash of the last.
    head: str = ""

    def evolve(self, event: TenantEvent | LockEvent) -> "Tenant":  # noqa: PLR0911 - one a case.
        match event:
            case TenantLocked() | TenantUnlocked():
                return replace(self, locked=isinstance(event, TenantLocked))
            case TenantCreated():
                return Tenant(slug=event.slug, name=event.name, country=event.country, books="open")
            case TenantRenamed(name=name):
                return replace(self, name=name)
            case TenantSuspended() | TenantResumed():
                reason = event.reason if isinstance(event, TenantSuspended) else None
                return replace(self, suspended=reason)
            case TenantClosed():
                return replace(self, books="closed", archives=())
            case TenantArchived():
                return self.held_by(event.sha256, event)
            case TenantRemoved():
                return replace(self.held_by(event.archive, event), books="removed")
            case TenantRestored():
                return replace(self.held_by(event.archive, event), books="closed")
            case TenantReopened():
                return replace(self, books="open")

    def held_by(
        self, archive: str, noted: TenantArchived | TenantRemoved | TenantRestored
    ) -> "Tenant":
        archives = (*(each for each in self.archives if each != archive), archive)
        return replace(self, archives=archives, events=noted.events, head=noted.head)


class SlugClaim(State):
    """Who holds a short name."""

    tenant: TenantId | None = None
    name: str = ""
    country: Country = "ES"

    def evolve(self, event: TenantCreated | TenantRenamed) -> "SlugClaim":
        match event:
            case TenantCreated():
                return SlugClaim(tenant=event.tenant, name=event.name, country=event.country)
            case TenantRenamed(name=name):
                return replace(self, name=name)


class Suspensions(State):
    """Who is suspended, and why; and who is locked."""

    reasons: dict[TenantId, str] = {}
    locked: frozenset[TenantId] = frozenset()

    def evolve(self, event: TenantSuspended | TenantResumed | LockEvent) -> "Suspensions":
        others = {each: why for each, why in self.reasons.items() if each != event.tenant}
        match event:
            case TenantSuspended(reason=reason):
                return replace(self, reasons={**others, event.tenant: reason})
            case TenantResumed():
                return replace(self, reasons=others)
            case TenantLocked():
                return replace(self, locked=self.locked | {event.tenant})
            case TenantUnlocked():
                return replace(self, locked=self.locked - {event.tenant})

    @classmethod
    def of_all(cls) -> Boundary["Suspensions"]:
        return Boundary(state=cls, tag=SUSPENSIONS)


class CreateTenant(Command):
    """Open the books of a company."""

    tenant: Filled[TenantIdText]
    slug: SlugText
    name: NameText
    country: Country

    def boundary(self) -> tuple[Boundary[SlugClaim]]:
        return (SlugClaim.at(slug=self.slug),)

    def decide(self, claim: SlugClaim) -> Iterator[TenantEvent]:
        if claim.tenant is not None or self.slug == SYSTEM_SLUG:
            raise Refused(
                "tenants.slug_taken",
                f"The short name {self.slug} belongs to {claim.name or 'the instance itself'}.",
                hint="Choose another short name.",
            )
        yield TenantCreated(
            tenant=self.tenant, slug=self.slug, name=self.name, country=self.country
        )


class _OfTenant(Command):
    """A command about a company that is there."""

    tenant: TenantIdText

    def boundary(self) -> tuple[Boundary[Tenant]]:
        return (Tenant.at(tenant=self.tenant),)


class RenameTenant(_OfTenant):
    """Call a company something else. Its short name is for ever."""

    name: NameText

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent]:
        if tenant.books == "absent":
            raise _absent(self.tenant)
        if self.name != tenant.name:
            yield TenantRenamed(tenant=self.tenant, slug=Slug(tenant.slug), name=self.name)


class SuspendTenant(_OfTenant):
    """Let a company change nothing until it is resumed. Everything can be read as before."""

    reason: Reason

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent]:
        if tenant.books == "absent":
            raise _absent(self.tenant)
        if tenant.suspended != self.reason:
            yield TenantSuspended(tenant=self.tenant, reason=self.reason)


class ResumeTenant(_OfTenant):
    """Let a suspended company go on. Resumed again, nothing happens."""

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent]:
        if tenant.books == "absent":
            raise _absent(self.tenant)
        if tenant.suspended is not None:
            yield TenantResumed(tenant=self.tenant)


class CloseTenant(_OfTenant):
    """Close the books of a company, and let nobody in. Closed again, nothing happens."""

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent | LockEvent]:
        if tenant.books == "absent":
            raise _absent(self.tenant)
        if tenant.books == "open":
            yield TenantClosed(tenant=self.tenant)
        if not tenant.locked:
            yield TenantLocked(tenant=self.tenant)


class NoteArchive(_OfTenant):
    """Note a file that holds all of the closed books. Noted again, nothing happens."""

    file: str
    sha256: Sha256
    events: int
    head: Sha256

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent]:
        if tenant.books != "closed":
            raise _not_closed(tenant)
        if self.sha256 not in tenant.archives:
            yield TenantArchived(
                tenant=self.tenant,
                file=self.file,
                sha256=self.sha256,
                events=self.events,
                head=self.head,
            )


class NoteRemoval(_OfTenant):
    """Note that the log is in its archive only. Noted again, nothing happens."""

    archive: Sha256
    events: int
    head: Sha256

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent]:
        if tenant.books not in {"closed", "removed"}:
            raise _not_closed(tenant)
        if self.archive not in tenant.archives:
            raise _not_noted(tenant, self.archive)
        if tenant.books == "closed":
            yield TenantRemoved(
                tenant=self.tenant, archive=self.archive, events=self.events, head=self.head
            )


class NoteRestoration(_OfTenant):
    """Note that the log is back from its archive. Noted again, nothing happens."""

    archive: Sha256
    events: int
    head: Sha256

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent]:
        if tenant.books == "absent":
            raise _absent(self.tenant)
        if vouches(tenant) and self.archive not in tenant.archives:
            raise _not_noted(tenant, self.archive)
        if tenant.books == "removed" or (tenant.books == "open" and not tenant.archives):
            yield TenantRestored(
                tenant=self.tenant, archive=self.archive, events=self.events, head=self.head
            )


class ReopenTenant(_OfTenant):
    """Let closed books take events again. Reopened again, nothing happens."""

    def decide(self, tenant: Tenant) -> Iterator[TenantEvent | LockEvent]:
        if tenant.books in {"absent", "removed"}:
            raise _absent(self.tenant)
        if tenant.books == "closed":
            yield TenantReopened(tenant=self.tenant)
        if tenant.locked:
            yield TenantUnlocked(tenant=self.tenant)


def vouches(tenant: Tenant) -> bool:
    """Tell whether it is known here which files hold the books as they were."""
    return tenant.books in {"closed", "removed"} and bool(tenant.archives)


def _not_noted(tenant: Tenant, archive: str) -> Refused:
    known = tenant.archives[-1] if tenant.archives else ""
    return Refused(
        "tenants.other_archive",
        f"The file is no archive that was noted for {tenant.slug}: its SHA-256 is {archive}, and"
        + (f" {known} was noted, of {tenant.events} events." if known else " none was noted."),
        hint="Name the file that `asiento tenant close` wrote last. Nothing was done.",
    )


def _absent(tenant: TenantId) -> Refused:
    return Refused(
        "tenants.no_books", f"There are no books of {tenant}.", hint="Restore them from a file."
    )


def _not_closed(tenant: Tenant) -> Refused:
    return Refused(
        "tenants.not_closed",
        f"The books of {tenant.slug or 'this tenant'} are not closed.",
        hint="Close them first: `asiento tenant close SLUG --to FILE`.",
    )
