"""Roles and members: who may do what for a tenant.

A role is a named set of permissions; a member may do what any of its roles holds. Nobody gives
what they lack, and one owner remains.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.access.people import EmailText, UserId
from domain.access.scopes import GRANT, goes_by_branch, is_held
from domain.kernel import (
    Boundary,
    Command,
    Event,
    Filled,
    Found,
    Key,
    Personal,
    Refused,
    State,
    Subject,
    Value,
)

RoleId = NewType("RoleId", str)
Office: TypeAlias = Literal["owner"]
OFFICE: Final[Office] = "owner"
OWNER: Final = RoleId(OFFICE)
PLACE: Final = "access.member.place"
"""By this somebody says of which branches members are."""

PERMISSIONS_MAX: Final = 500
NAMED_MAX: Final = 3
ROLES_MAX: Final = 20

Permission: TypeAlias = Annotated[
    str,
    Meta(
        pattern=GRANT,
        description="Such as invoicing.invoice.read; with @own or @branch behind it, it holds for"
        " what one made, or for what is of one's branches.",
    ),
]
Permissions: TypeAlias = Annotated[
    tuple[Permission, ...], Meta(min_length=1, max_length=PERMISSIONS_MAX)
]
RoleName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Roles: TypeAlias = Annotated[tuple[RoleId, ...], Meta(min_length=1, max_length=ROLES_MAX)]
Standard: TypeAlias = Mapping[RoleId, tuple[str, ...]]
"""The permissions of the roles that every tenant has, by the id of the role."""


class RoleDefined(Event):
    role: Key[RoleId]
    name: str
    permissions: tuple[str, ...]


class RoleChanged(Event):
    """From here on the role holds these permissions, for whoever has it."""

    role: Key[RoleId]
    name: str
    permissions: tuple[str, ...]


class RoleRetired(Event):
    """Nobody has the role any more."""

    role: Key[RoleId]


class MemberAdmitted(Event):
    """A person may act for the tenant. The office is told of those who are owners."""

    user: Key[Subject[UserId]]
    email: Personal[str]
    roles: tuple[RoleId, ...]
    office: Key[Office] | None = None


class MemberRolesChanged(Event):
    """The office is told of whoever was an owner or becomes one."""

    user: Key[UserId]
    roles: tuple[RoleId, ...]
    office: Key[Office] | None = None


class MemberRemoved(Event):
    user: Key[UserId]
    office: Key[Office] | None = None


RoleEvent: TypeAlias = RoleDefined | RoleChanged | RoleRetired
MemberEvent: TypeAlias = MemberAdmitted | MemberRolesChanged | MemberRemoved


class Role(State):
    """What a role holds that a tenant defined; nothing, where there is none."""

    known: bool = False
    retired: bool = False
    name: str = ""
    permissions: tuple[str, ...] = ()

    def evolve(self, event: RoleEvent) -> "Role":
        match event:
            case RoleDefined() | RoleChanged():
                return Role(known=True, name=event.name, permissions=event.permissions)
            case RoleRetired():
                return replace(self, retired=True, permissions=())


class Member(State):
    """The roles of a person; none, where it is no member now.

    Attributes:
        known: Whether it ever was one.

    """

    known: bool = False
    roles: tuple[RoleId, ...] = ()

    def evolve(self, event: MemberEvent) -> "Member":
        match event:
            case MemberAdmitted() | MemberRolesChanged():
                return Member(known=True, roles=event.roles)
            case MemberRemoved():
                return Member(known=True)


class Owners(State):
    """All who are owners."""

    users: frozenset[UserId] = frozenset()

    def evolve(self, event: MemberEvent) -> "Owners":
        roles = () if isinstance(event, MemberRemoved) else event.roles
        if OWNER in roles:
            return Owners(users=self.users | {event.user})
        return Owners(users=self.users - {event.user})


class Giver(Value):
    """Somebody who gives or takes what they hold themselves.

    Attributes:
        held: What they may; None: all there is.
        standard: The roles that every tenant has.

    """

    held: frozenset[str] | None = frozenset()
    standard: Standard = {}

    def check(self, permissions: frozenset[str]) -> None:
        """Let nobody give what they lack."""
        if self.held is None:
            return
        if PLACE in permissions and goes_by_branch(self.held):
            raise Refused(
                "access.not_yours_to_give",
                f"Something of what you may goes by your branches, so you can't give {PLACE}:"
                " whoever has it could put you into others.",
                hint="Ask an owner of the tenant.",
            )
        lacking = sorted(each for each in permissions if not is_held(each, self.held))
        if not lacking:
            return
        more = f" and {len(lacking) - NAMED_MAX} more" if len(lacking) > NAMED_MAX else ""
        raise Refused(
            "access.not_yours_to_give",
            f"You lack {', '.join(lacking[:NAMED_MAX])}{more}, so you can't give or take it.",
            hint="Ask an owner of the tenant.",
        )

    def check_owner(self, member: Member) -> None:
        """Let nobody take from an owner who is less."""
        if OWNER in member.roles:
            self.check(frozenset(self.standard[OWNER]))

    def check_roles(self, named: Iterable[tuple[RoleId, Role]]) -> None:
        """See that roles are there, and hold nothing that the giver lacks."""
        granted: set[str] = set()
        for name, role in named:
            if name not in self.standard and (not role.known or role.retired):
                raise _absent(name)
            granted |= {*self.standard.get(name, role.permissions)}
        self.check(frozenset(granted))

    def check_there(self, name: RoleId, role: Role) -> None:
        """See that a role is one that the tenant defined."""
        if name in self.standard:
            raise Refused(
                "access.standard_role",
                f"Every tenant has the role {name} as it is.",
                hint="Define a role of your own.",
            )
        if not role.known or role.retired:
            raise _absent(name)


NOBODY: Final = Giver()


class DefineRole(Command):
    """Name a set of permissions that members can be given."""

    role: Filled[RoleId]
    name: RoleName
    permissions: Permissions
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Role]]:
        return (Role.at(role=self.role),)

    def decide(self, role: Role) -> Iterator[RoleEvent]:
        if role.known or self.role in self.giver.standard:
            raise Refused(
                "access.role_taken", f"There is a role {self.role}.", hint="Leave the id out."
            )
        self.giver.check(frozenset(self.permissions))
        yield RoleDefined(role=self.role, name=self.name, permissions=_sorted(self.permissions))


class ChangeRole(Command):
    """Give a role another name or other permissions. As it is already, nothing happens."""

    role: RoleId
    name: RoleName
    permissions: Permissions
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Role]]:
        return (Role.at(role=self.role),)

    def decide(self, role: Role) -> Iterator[RoleEvent]:
        self.giver.check_there(self.role, role)
        wanted = _sorted(self.permissions)
        self.giver.check(frozenset(wanted) | frozenset(role.permissions))
        if (self.name, wanted) != (role.name, role.permissions):
            yield RoleChanged(role=self.role, name=self.name, permissions=wanted)


class RetireRole(Command):
    """Take a role from all who have it, for ever. Retired again, nothing happens."""

    role: RoleId
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Role]]:
        return (Role.at(role=self.role),)

    def decide(self, role: Role) -> Iterator[RoleEvent]:
        if not role.retired:
            self.giver.check_there(self.role, role)
            self.giver.check(frozenset(role.permissions))
            yield RoleRetired(role=self.role)


class AdmitMember(Command):
    """Let a person act for the tenant."""

    user: UserId
    email: EmailText
    roles: Roles
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of the member, owners, roles.
        return _of_member(self.user, self.roles)

    def decide(self, member: Member, _owners: Owners, *roles: Role) -> Iterator[MemberEvent]:
        if member.roles:
            raise Refused(
                "access.member_there",
                f"{self.user} is a member already.",
                hint="Change the roles of the member.",
            )
        self.giver.check_roles(zip(self.roles, roles, strict=True))
        office = OFFICE if OWNER in self.roles else None
        yield MemberAdmitted(user=self.user, email=self.email, roles=self.roles, office=office)


class ChangeMemberRoles(Command):
    """Give a member these roles and no others. As they are already, nothing happens."""

    user: UserId
    roles: Roles
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: as above.
        return _of_member(self.user, self.roles)

    def decide(self, member: Member, owners: Owners, *roles: Role) -> Iterator[MemberEvent]:
        if not member.roles:
            raise no_member(self.user)
        self.giver.check_roles(zip(self.roles, roles, strict=True))
        self.giver.check_owner(member)
        office = OFFICE if OWNER in (*self.roles, *member.roles) else None
        if OWNER not in self.roles:
            _keep_an_owner(self.user, owners)
        if set(self.roles) != set(member.roles):
            yield MemberRolesChanged(user=self.user, roles=self.roles, office=office)


class RemoveMember(Command):
    """Let a person act for the tenant no longer. Removed again, nothing happens."""

    user: UserId
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Member], Boundary[Owners]]:
        return Member.at(user=self.user), Owners.at(office=OFFICE)

    def decide(self, member: Member, owners: Owners) -> Iterator[MemberEvent]:
        if not member.known:
            raise no_member(self.user)
        _keep_an_owner(self.user, owners)
        self.giver.check_owner(member)
        if member.roles:
            office = OFFICE if OWNER in member.roles else None
            yield MemberRemoved(user=self.user, office=office)


def _of_member(user: UserId, roles: Iterable[RoleId]) -> tuple[Boundary[Any], ...]:  # Any: so.
    own = [Role.at(role=role) for role in roles]
    return (Member.at(user=user), Owners.at(office=OFFICE), *own)


def _sorted(permissions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(permissions)))


def _keep_an_owner(user: UserId, owners: Owners) -> None:
    if owners.users == {user}:
        raise Refused(
            "access.last_owner",
            "The tenant would have no owner left.",
            hint="Make somebody else an owner first.",
        )


def _absent(role: RoleId) -> Refused:
    return Refused("access.role_absent", f"There is no role {role}.", hint="List the roles.")


def no_member(user: UserId) -> Refused:
    return Refused("access.member_absent", f"{user} is no member.", hint="List the members.")
