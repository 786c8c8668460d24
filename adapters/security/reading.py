"""Reading the security log, the newest first: off the logs themselves, so that nothing lags.

A company's entries are in its own log; what was done with its API keys is in that of the instance,
with its tag. Both are read by the index of tags, a page at a time, and put in order by their time.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from typing import Any, Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.conditions import require
from adapters.postgres.models.paging import checked_first
from adapters.postgres.packed import SEPARATOR
from adapters.postgres.store.reading import COLUMNS, event_of
from adapters.runtime import Runtime
from application.access import READ_SECURITY
from application.codec import check_tag
from application.errors import Malformed
from application.kernel import Context
from application.ports import StoredEvent
from application.security import GRANTS, KEYS, KINDS, NOTED, SecurityEntry, entry_of
from domain.access import SECURITY
from domain.ids import SYSTEM_TENANT, TenantId

NEWEST: Final = 10**18 - 1
CURSOR: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})", re.ASCII)

# Of one tag, each type is a range of the index, in its order; of tags that begin alike, there are
# few events of the types that are asked for.
FOUND: LiteralString = f"""
SELECT {COLUMNS} FROM event AS e
WHERE e.tenant_id = %(tenant)s AND e.position = ANY (ARRAY(
    SELECT p.position FROM (
        SELECT t.position
        FROM unnest(%(tags)s::text[], %(types)s::text[]) AS i (tag, type)
        CROSS JOIN LATERAL (
            SELECT t.position FROM event_tag AS t
            WHERE t.tenant_id = %(tenant)s AND t.tag = i.tag AND t.type = i.type
              AND t.position < %(before)s
            ORDER BY t.position DESC LIMIT %(most)s
        ) AS t
        UNION
        SELECT t.position
        FROM unnest(%(names)s::text[], %(kinds)s::text[]) AS i (name, kinds)
        JOIN event_tag AS t ON t.tenant_id = %(tenant)s
          AND t.tag >= i.name || ':' AND t.tag < i.name || ';'
          AND t.type = ANY (string_to_array(i.kinds, chr(31))) AND t.position < %(before)s
    ) AS p
    ORDER BY p.position DESC LIMIT %(most)s
))
ORDER BY e.position DESC
"""  # noqa: S608 - made of constants.


class SecurityAsked(Struct, frozen=True, kw_only=True):
    """Which entries are wanted: about a person, of a kind, since a time."""

    first: int | None = None
    after: str | None = None
    user: str | None = None
    kind: str | None = None
    since: datetime | None = None


class SecurityPage(Struct, frozen=True, kw_only=True):
    """Entries, the newest first, and whether there are older ones."""

    entries: tuple[SecurityEntry, ...]
    has_next: bool


class _Place(Struct, frozen=True):
    """How far back both logs were read: up to before these positions."""

    own: int = NEWEST
    system: int = NEWEST

    def __str__(self) -> str:
        return f"{self.own}.{self.system}"


async def read_security(runtime: Runtime, context: Context, asked: SecurityAsked) -> SecurityPage:
    """Read a page of the security log of the caller's company.

    Raises:
        Forbidden: The caller may not read it.
        Malformed: The cursor, the kind, the time or the number of entries can't be understood.

    """
    require(context, READ_SECURITY)
    first, place, kinds = checked_first(asked.first), _place(asked.after), _kinds(asked)
    if asked.user is not None:
        check_tag(f"user:{asked.user}")
    if asked.since is not None and asked.since.tzinfo is None:
        raise Malformed(
            "query.bad_moment",
            "The moment has no offset, so nobody knows when it was.",
            hint="Write a moment such as 2026-01-31T12:00:00Z.",
        )
    tenant = context.tenant
    own = await _found(runtime, tenant, _of_company(asked, kinds), place.own, first + 1)
    keys: Sequence[StoredEvent] = ()
    if asked.user is None:
        wanted = _Wanted(tags=[(f"tenant:{tenant}", each) for each in KEYS if each in kinds])
        keys = await _found(runtime, SYSTEM_TENANT, wanted, place.system, first + 1)
    entries = [
        each for each in _merged(place, own, keys) if asked.since is None or each.at >= asked.since
    ]
    return SecurityPage(entries=tuple(entries[:first]), has_next=len(entries) > first)


class _Wanted(Struct, frozen=True):
    """Tags, each with a type; and names of tags, each with types."""

    tags: Sequence[tuple[str, str]] = ()
    names: Sequence[tuple[str, Sequence[str]]] = ()


def _of_company(asked: SecurityAsked, kinds: frozenset[str]) -> _Wanted:
    if asked.user is not None:
        return _Wanted(tags=[(f"user:{asked.user}", each) for each in sorted(kinds)])
    granted = {name: [each for each in names if each in kinds] for name, names in GRANTS.items()}
    return _Wanted(
        tags=[(SECURITY, each) for each in NOTED if each in kinds],
        names=[(name, names) for name, names in granted.items() if names],
    )


async def _found(
    runtime: Runtime, tenant: TenantId, wanted: _Wanted, before: int, most: int
) -> Sequence[StoredEvent]:
    """Read the newest of what is wanted before a position, and open it."""
    if not (wanted.tags or wanted.names):
        return ()
    given: dict[str, Any] = {  # Any: parameters of several types.
        "tenant": tenant,
        "before": before,
        "most": most,
        "tags": [tag for tag, _ in wanted.tags],
        "types": [kind for _, kind in wanted.tags],
        "names": [name for name, _ in wanted.names],
        "kinds": [SEPARATOR.join(kinds) for _, kinds in wanted.names],
    }
    async with tenant_transaction(runtime.read_pool, tenant) as connection:
        rows = await (await connection.execute(FOUND, given, binary=True)).fetchall()
    return await runtime.vault.reveal(tenant, [event_of(row) for row in rows])


def _merged(
    place: _Place, own: Sequence[StoredEvent], keys: Sequence[StoredEvent]
) -> Iterator[SecurityEntry]:
    """Put the entries of both logs in order; each has the cursor behind which older ones are."""
    logs = ([(True, each) for each in own], [(False, each) for each in keys])
    for is_own, stored in merge(*logs, key=lambda each: each[1].recorded_at, reverse=True):
        if is_own:
            place = _Place(stored.position, place.system)
        else:
            place = _Place(place.own, stored.position)
        yield entry_of(stored, str(place))


def _kinds(asked: SecurityAsked) -> frozenset[str]:
    if asked.kind is None:
        return KINDS
    if asked.kind not in KINDS:
        raise Malformed(
            "access.unknown_kind",
            f"There is no kind of entry {asked.kind[:60]!r}.",
            hint=f"Ask for one of {', '.join(sorted(KINDS))}.",
        )
    return frozenset((asked.kind,))


def _place(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place()
    if found := CURSOR.fullmatch(cursor):
        return _Place(int(found[1]), int(found[2]))
    raise Malformed(
        "query.bad_cursor",
        "The cursor is damaged, or of another list.",
        hint="Take the cursors of a page of the same list.",
    )
