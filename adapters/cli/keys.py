"""`asiento key`: the API keys of a company, each shown once when it is made or rotated."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter, validators
from msgspec import UNSET, Struct, UnsetType

from adapters.access.key_uses import KeyUse, list_uses
from adapters.cli.derived import outcome_shown
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table, moment
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.runtime import Runtime
from application.access import api_key_text
from application.codec import decode, stored_names
from application.kernel import Outcome, build
from application.ports import QueryItem
from domain.access import DAYS_MAX, CreateApiKey, KeyId, RevokeApiKey, RotateApiKey
from domain.ids import SYSTEM_TENANT, TenantId
from projections.access import ApiKeyRow, ApiKeys
from projections.kernel import events_of, project

KEYS_AT_ONCE: Final = 100

KeyArgument: TypeAlias = Annotated[
    str, Parameter(help="Its id, as `asiento key list` shows it.", show_default=False)
]
Days: TypeAlias = Annotated[
    int | None,
    Parameter(
        help="For so many days; left out: as long as is usual here.",
        validator=validators.Number(gte=1, lte=DAYS_MAX),
    ),
]
NeverEnds: TypeAlias = Annotated[
    bool, Parameter(name="--never-expires", negative="", help="Until it is revoked.")
]


class ListedKey(Struct, frozen=True, kw_only=True):
    """A key, and its last use; None: it was never used."""

    key: ApiKeyRow
    used: KeyUse | None


def create(
    name: str,
    /,
    *,
    tenant: TenantOption,
    permission: Annotated[
        list[str] | None,
        Parameter(help="What it may, such as invoicing.invoice.read; several one by one."),
    ] = None,
    service_account: Annotated[
        str | None, Parameter(help="It may what this service account may at the moment.")
    ] = None,
    network: Annotated[
        list[str] | None, Parameter(help="Such as 192.0.2.0/24, one by one; none: anywhere.")
    ] = None,
    days: Days = None,
    never_expires: NeverEnds = False,
) -> Result:
    """Let a program act for the company. Its key is shown once."""
    given = {
        "name": name,
        "permissions": permission or UNSET,
        "service_account": service_account or UNSET,
        "networks": network or (),
    }
    return _given_out(tenant, CreateApiKey, given, days, never_expires=never_expires)


def list_all(*, tenant: TenantOption) -> Result:
    """List the keys of a company, and when and from where each was used last."""

    async def work(runtime: Runtime) -> list[ListedKey]:
        owner = await find_tenant(runtime, tenant)
        keys = await _keys_of(runtime, owner)
        uses = {each.key: each for each in await list_uses(runtime.pool, owner)}
        return [ListedKey(key=each, used=uses.get(each.key)) for each in keys.values()]

    found = with_runtime(work)
    columns = ("KEY", "NAME", "MAY", "NETWORKS", "EXPIRES", "LAST USE", "FROM", "REVOKED")
    return Result(document=found, people=(Table(columns, [_row(each) for each in found]),))


def rotate(
    key: KeyArgument,
    /,
    *,
    tenant: TenantOption,
    overlap_hours: Annotated[
        int | None, Parameter(help="How long the former secret goes on; left out: 24.")
    ] = None,
    days: Days = None,
    never_expires: NeverEnds = False,
) -> Result:
    """Give a key a new secret, shown once. The former one goes on for a while."""
    given = {"key": key, "overlap_hours": UNSET if overlap_hours is None else overlap_hours}
    return _given_out(tenant, RotateApiKey, given, days, never_expires=never_expires)


def revoke(key: KeyArgument, /, *, tenant: TenantOption) -> Result:
    """Lock a program out, for ever."""

    async def work(runtime: Runtime) -> Outcome:
        owner = await find_tenant(runtime, tenant)
        return await runtime.bus.execute(RevokeApiKey(key=KeyId(key)), operator(owner))

    return outcome_shown(with_runtime(work))


async def give_key(
    runtime: Runtime,
    tenant: TenantId,
    kind: type[CreateApiKey | RotateApiKey],
    given: Mapping[str, object],
) -> str:
    """Make or rotate a key, and return its text."""
    _, text = await _execute(runtime, tenant, kind, given)
    return text


def _given_out(
    slug: str,
    kind: type[CreateApiKey | RotateApiKey],
    given: Mapping[str, object],
    days: int | None,
    *,
    never_expires: bool,
) -> Result:
    async def work(runtime: Runtime) -> tuple[Outcome, str]:
        ends = _end(runtime.clock.now(), days)
        about = {**given, "expires_at": ends, "never_expires": never_expires}
        return await _execute(runtime, await find_tenant(runtime, slug), kind, about)

    return outcome_shown(*with_runtime(work))


def _end(now: datetime, days: int | None) -> datetime | UnsetType:
    return UNSET if days is None else now + timedelta(days=days)


async def _execute(
    runtime: Runtime,
    tenant: TenantId,
    kind: type[CreateApiKey | RotateApiKey],
    given: Mapping[str, object],
) -> tuple[Outcome, str]:
    command = build(kind, given, runtime.clock)
    assert isinstance(command, CreateApiKey | RotateApiKey), "It is of its kind."
    outcome = await runtime.bus.execute(command, operator(tenant))
    return outcome, api_key_text(command)


async def _keys_of(runtime: Runtime, tenant: TenantId) -> dict[str, ApiKeyRow]:
    """Read the keys off the log itself, which needs no projector."""
    made = QueryItem(types=("ApiKeyCreated",), tags=(f"tenant:{tenant}",))
    keys = [tag async for tag in _key_tags(runtime, made)]
    types, events = stored_names(events_of(ApiKeys)), []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[start : start + KEYS_AT_ONCE]
        query = [QueryItem(types=types, tags=(tag,)) for tag in some]
        events += [decode(each) async for each in runtime.store.read(SYSTEM_TENANT, query)]
    return project(ApiKeys, events)


async def _key_tags(runtime: Runtime, made: QueryItem) -> AsyncIterator[str]:
    async for stored in runtime.store.read(SYSTEM_TENANT, [made]):
        for tag in stored.tags:
            if tag.startswith("key:"):
                yield tag


def _row(each: ListedKey) -> tuple[object, ...]:
    key, used = each.key, each.used
    may = f"as {key.service_account}" if key.service_account else len(key.permissions)
    return (
        key.key,
        key.name,
        may,
        ", ".join(key.networks) or "any",
        moment(key.expires_at) if key.expires_at else "never",
        moment(used.used_at) if used else "",
        used.address if used else "",
        "yes" if key.revoked else "",
    )
