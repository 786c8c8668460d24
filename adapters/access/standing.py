"""Standing: whether those who were let in for long are still who they were, and still may.

A key that was revoked, has expired or may something else than before, and a token that has run
out, hold no longer. Keys are looked up together, however many are in.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from adapters.access.door import authenticate, door_of
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.rows import load_rows, table_of
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from application.kernel import Context
from domain.access import KeyId
from domain.ids import SYSTEM_TENANT
from projections.access import ApiKeyRow, ApiKeys

KEY: Final = "key:"
KEYS_MAX: Final = 1_000
"""Keys that are looked up by one statement."""


class Admission(Struct, frozen=True, kw_only=True, eq=False):
    """Who was let in, and by what that can be checked again."""

    context: Context
    key: KeyId | None
    until: datetime | None


async def admit(runtime: Runtime, authorization: str | None) -> Admission:
    """Verify the value of an ``Authorization`` header for somebody who stays.

    Raises:
        Unauthenticated: It is missing, unknown, revoked or expired.

    """
    context = await authenticate(runtime, authorization)
    if context.actor.startswith(KEY):
        return Admission(context=context, key=KeyId(context.actor.removeprefix(KEY)), until=None)
    token = (authorization or "").partition(" ")[2].strip()
    claims = door_of(runtime).tokens.read(token, now=runtime.clock.now())
    ends = datetime.fromtimestamp(claims.exp, UTC) if claims else runtime.clock.now()
    return Admission(context=context, key=None, until=ends)


async def fallen(runtime: Runtime, admitted: Collection[Admission]) -> list[Admission]:
    """Name those that hold no longer.

    Raises:
        Unavailable: PostgreSQL is away; nobody knows.

    """
    now = runtime.clock.now()
    may = await _permissions(runtime, {each.key for each in admitted if each.key}, now)
    return [each for each in admitted if not _holds(each, may, now)]


def _holds(each: Admission, may: dict[str, frozenset[str]], now: datetime) -> bool:
    if each.key is None:
        return each.until is not None and each.until > now
    return may.get(each.key) == each.context.permissions


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
            if isinstance(row, ApiKeyRow) and not row.revoked and not _expired(row, now):
                found[key] = frozenset(row.permissions)
    return found


def _expired(row: ApiKeyRow, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now
