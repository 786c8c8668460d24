"""What people may, read off the log itself, so that nothing is held that was taken away.

All that the log of a company says of a person comes by one look: whether it is a member, what its
roles hold, of which branches it is, and what the company asks of its people. What is known of
them stays for half a second.
"""

from collections import OrderedDict
from typing import Any, Final, TypeAlias

from msgspec import Struct

from adapters.access.lookups import KEPT_MAX, Lookups
from adapters.access.operators import rights_of_operator
from adapters.runtime import Runtime
from application.roles import permissions_of, standard_roles
from domain.access import AccessPolicy, Enrolment, Factors, Member, Role, RoleId, UserId
from domain.access.branches import Place
from domain.ids import SYSTEM_TENANT, BranchId, TenantId
from domain.kernel import Boundary
from projections.kernel import readable

Who: TypeAlias = tuple[TenantId, UserId]
"""Somebody, and the company for which they act."""

NOTHING: Final = frozenset[str]()


class Rights(Struct, frozen=True):
    """What somebody may for a company, and the branches by which some of it goes."""

    permissions: frozenset[str]
    branches: frozenset[BranchId] = frozenset()


class People:
    """Knows what those may who came by lately."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._bus = runtime.bus
        self._known = Lookups(self._find)
        self._roles: OrderedDict[Who, tuple[RoleId, ...]] = OrderedDict()

    async def rights(self, tenant: TenantId, user: UserId) -> Rights | None:
        """Tell what a person may do for a company; None: nothing, as it is no member."""
        if await self._bus.is_locked(tenant):
            return None
        return await self._known.get((tenant, user))

    async def _find(self, who: Who) -> Rights | None:
        tenant, user = who
        member, place, policy, roles = await self._look(who)
        found = permissions_of(member.roles, roles, standard_roles(readable()))
        if not member.known:  # Before there were members, people were enrolled with what they may.
            enrolled = await self._bus.fold(SYSTEM_TENANT, Enrolment.at(user=user))
            found = frozenset(enrolled.permissions if enrolled.tenant == tenant else ())
        permissions = found or await rights_of_operator(self._runtime, tenant, user)
        if not permissions:
            return None
        if policy.second_factor and not await self._has_factor(user):
            return Rights(NOTHING)  # They may do what is each one's own: set one up.
        return Rights(permissions, frozenset(place.branches))

    async def _look(self, who: Who) -> tuple[Member, Place, AccessPolicy, dict[RoleId, Role]]:
        """Read what the company says of somebody, with the roles that it had a moment ago."""
        tenant, user = who
        before, standard = self._roles.get(who, ()), standard_roles(readable())
        own: tuple[Boundary[Any], ...] = (  # Any: of several states.
            Member.at(user=user),
            Place.at(user=user),
            AccessPolicy.own(),
        )
        wanted = [Role.at(role=each) for each in before]
        member, place, policy, *found = await self._bus.fold_all(tenant, [*own, *wanted])
        roles = dict(zip(before, found, strict=True))
        named = tuple(each for each in member.roles if each not in standard)
        if new := [each for each in named if each not in roles]:
            more = await self._bus.fold_all(tenant, [Role.at(role=each) for each in new])
            roles |= zip(new, more, strict=True)
        self._remember(who, named)
        return member, place, policy, roles

    async def _has_factor(self, user: UserId) -> bool:
        return (await self._bus.fold(SYSTEM_TENANT, Factors.at(user=user))).asked

    def _remember(self, who: Who, roles: tuple[RoleId, ...]) -> None:
        self._roles[who] = roles
        self._roles.move_to_end(who)
        while len(self._roles) > KEPT_MAX:
            self._roles.popitem(last=False)
