"""Service accounts: members that are no persons.

They have roles, as members have, and act by API keys alone. They count as no owner: a company is
left with a person who can log in.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.access.roles import NOBODY, Giver, Member, Role, RoleId, Roles
from domain.kernel import Boundary, Command, Event, Filled, Found, Key, Refused, State

ServiceAccountId = NewType("ServiceAccountId", str)
ServiceName: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="Of a program. Name nobody in it.")
]


class ServiceAccountAdded(Event):
    """A program may act for the tenant, by the keys that are made for it."""

    service_account: Key[ServiceAccountId]
    name: str
    roles: tuple[RoleId, ...]


class ServiceAccountChanged(Event):
    """From here on its keys act with these roles."""

    service_account: Key[ServiceAccountId]
    name: str
    roles: tuple[RoleId, ...]


class ServiceAccountSuspended(Event):
    """None of its keys opens anything until this ends."""

    service_account: Key[ServiceAccountId]


class ServiceAccountResumed(Event):
    service_account: Key[ServiceAccountId]


ServiceAccountEvent: TypeAlias = (
    ServiceAccountAdded | ServiceAccountChanged | ServiceAccountSuspended | ServiceAccountResumed
)


class ServiceAccount(State):
    """By which roles a program acts. Without a name there is none."""

    name: str = ""
    roles: tuple[RoleId, ...] = ()
    suspended: bool = False

    def evolve(self, event: ServiceAccountEvent) -> "ServiceAccount":
        match event:
            case ServiceAccountAdded() | ServiceAccountChanged():
                return replace(self, name=event.name, roles=event.roles)
            case ServiceAccountSuspended():
                return replace(self, suspended=True)
            case ServiceAccountResumed():
                return replace(self, suspended=False)


class AddServiceAccount(Command):
    """Let a program act for the company with these roles, by keys that are made for it."""

    service_account: Filled[ServiceAccountId]
    name: ServiceName
    roles: Roles
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of the account, and of roles.
        return _of_account(self.service_account, self.roles)

    def decide(self, account: ServiceAccount, *roles: Role) -> Iterator[ServiceAccountEvent]:
        if account.name:
            raise Refused(
                "access.account_there",
                f"There is a service account {self.service_account}.",
                hint="Leave the id out.",
            )
        self.giver.check_roles(zip(self.roles, roles, strict=True))
        yield ServiceAccountAdded(
            service_account=self.service_account, name=self.name, roles=self.roles
        )


class ChangeServiceAccount(Command):
    """Give a program another name or other roles. As they are already, nothing happens."""

    service_account: ServiceAccountId
    name: ServiceName
    roles: Roles
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: as above.
        return _of_account(self.service_account, self.roles)

    def decide(self, account: ServiceAccount, *roles: Role) -> Iterator[ServiceAccountEvent]:
        if not account.name:
            raise no_account(self.service_account)
        self.giver.check_roles(zip(self.roles, roles, strict=True))
        self.giver.check_owner(Member(roles=account.roles))
        if (self.name, {*self.roles}) != (account.name, {*account.roles}):
            yield ServiceAccountChanged(
                service_account=self.service_account, name=self.name, roles=self.roles
            )


class SuspendServiceAccount(Command):
    """Let the keys of a program open nothing for now. Suspended already, nothing happens."""

    service_account: ServiceAccountId
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[ServiceAccount]]:
        return (ServiceAccount.at(service_account=self.service_account),)

    def decide(self, account: ServiceAccount) -> Iterator[ServiceAccountEvent]:
        if not account.name:
            raise no_account(self.service_account)
        self.giver.check_owner(Member(roles=account.roles))
        if not account.suspended:
            yield ServiceAccountSuspended(service_account=self.service_account)


class ResumeServiceAccount(Command):
    """Let the keys of a program open what its roles hold. Resumed already, nothing happens."""

    service_account: ServiceAccountId
    opens: Found[frozenset[str]] = frozenset()  # What its roles hold at the moment.
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[ServiceAccount]]:
        return (ServiceAccount.at(service_account=self.service_account),)

    def decide(self, account: ServiceAccount) -> Iterator[ServiceAccountEvent]:
        if not account.name:
            raise no_account(self.service_account)
        self.giver.check(self.opens)
        if account.suspended:
            yield ServiceAccountResumed(service_account=self.service_account)


def no_account(account: ServiceAccountId | None) -> Refused:
    """Say that there is no such account."""
    return Refused(
        "access.account_absent",
        f"There is no service account {account}.",
        hint="List the service accounts.",
    )


def _of_account(
    account: ServiceAccountId, roles: Iterable[RoleId]
) -> tuple[Boundary[Any], ...]:  # Any: as above.
    named = [Role.at(role=role) for role in roles]
    return (ServiceAccount.at(service_account=account), *named)
