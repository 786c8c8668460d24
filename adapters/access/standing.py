"""Standing: whether those who were let in for long are still who they were, and still may.

A key that was revoked, has expired or may something else than before holds no longer; nor does a
token that has run out, or whose owner lost a role. Keys are looked up together.
"""

import random
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from adapters.access.door import USER, Admission, door_of, still_holds
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.rows import load_rows, table_of
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from domain.access import KeyId, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from projections.access import ApiKeyRow, ApiKeys

KEYS_MAX: Final = 1_000
"""Keys that are looked up by one statement."""

PEOPLE_MAX: Final = 100
Person: TypeAlias = tuple[TenantId, UserId]
"""Somebody, and the tenant for which they act."""


async def fallen(runtime: Runtime, admitted: Collection[Admission]) -> list[Admission]:
    """Name those that hold no longer.

    Raises:
        Unavailable: PostgreSQL is away; nobody knows.

    """
    now = runtime.clock.now()
    keys = await _permissions(runtime, {each.key for each in admitted if each.key}, now)
    people = await _rights(runtime, {_person(each) for each in admitted if not each.key})
    return [each for each in admitted if not _holds(each, keys, people, now)]


def _holds(
    each: Admission,
    keys: Mapping[str, frozenset[str]],
    people: Mapping[Person, frozenset[str] | None],
    now: datetime,
) -> bool:
    if each.key is not None:
        return keys.get(each.key) == each.context.permissions
    same = people.get(_person(each), each.context.permissions) == each.context.permissions
    return same and each.until is not None and each.until > now


def _person(each: Admission) -> Person:
    return each.context.tenant, UserId(each.context.actor.removeprefix(USER))


async def _rights(
    runtime: Runtime, people: Collection[Person]
) -> dict[Person, frozenset[str] | None]:
    """Tell what people may do for tenants now; of many, some are looked at each time."""
    some = random.sample(sorted(people), min(len(people), PEOPLE_MAX))
    door = door_of(runtime)
    return {each: await door.rights(*each) for each in some}


async def _permissions(
    runtime: Runtime, keys: Iterable[KeyId], now: datetime
) -> dict[str, frozenset[str]]:
    """Tell what the keys may that still hold."""
    found: dict[str, frozenset[str]] = {}
    asked = sorted(keys)
    if not asked:
        return found
    table = table_of(ApiKeys, await serving_table(runtime.pool, ApiKeys))
    for start in range(0, len(asked), KEYS_MAX):
        some = asked[start : start + KEYS_MAX]
        async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
            rows = await load_rows(connection, table, SYSTEM_TENANT, some)
        for key, row in rows.items():
            if isinstance(row, ApiKeyRow) and still_holds(row, now):
                found[key] = frozenset(row.permissions)
    return found
