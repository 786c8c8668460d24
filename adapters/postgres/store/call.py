"""One call of ``append_events_v2``: a batch of appends as columns, and its answer as results."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.packed import SEPARATOR, Packed, bigints, integers, texts, uuids
from application.ports import Append, AppendConflict, KeyRepeated
from domain.ids import TenantId
from domain.kernel import Refused

CALL: LiteralString = "SELECT item, status, base FROM append_events_v2(%s, %s" + ", %b" * 18 + ")"
SETTLE: LiteralString = "SELECT settle_writer_v1(%s, %s)"


class Item(Struct, eq=False, frozen=True):
    """An append of one tenant."""

    tenant: TenantId
    append: Append


class Batch:
    """Items to append together, with the tenants and positions they are about."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        # The server locks the heads in this order, and counts tenants from 1.
        self.tenants = sorted({item.tenant for item in items})
        number = {tenant: n for n, tenant in enumerate(self.tenants, 1)}
        self.tenant_of = [number[item.tenant] for item in items]
        self.events_before: list[int] = []
        counted = dict.fromkeys(self.tenants, 0)
        for item in items:
            self.events_before.append(counted[item.tenant])
            counted[item.tenant] += len(item.append.events)
        self.counted = counted

    def bases(self, heads: Sequence[int]) -> list[int]:
        """Give each item its base, from the heads that the tenants had."""
        return [
            heads[tenant - 1] + before
            for tenant, before in zip(self.tenant_of, self.events_before, strict=True)
        ]

    def ends(self, heads: Sequence[int]) -> dict[TenantId, int]:
        """Give each tenant its new head."""
        return {
            tenant: head + self.counted[tenant]
            for tenant, head in zip(self.tenants, heads, strict=True)
            if self.counted[tenant]
        }

    def columns(self) -> list[Packed]:
        items, tenant_of = self.items, self.tenant_of
        appends = [item.append for item in items]
        events = [event for append in appends for event in append.events]
        event_tenant = [
            tenant for tenant, append in zip(tenant_of, appends, strict=True) for _ in append.events
        ]
        conditions = [(n, q) for n, append in enumerate(appends, 1) for q in append.boundary]
        keys = [(n, k) for n, append in enumerate(appends, 1) for k in append.keys]
        return [
            uuids(self.tenants),
            integers(tenant_of),
            bigints([append.after for append in appends]),
            integers(event_tenant),
            texts([e.type for e in events]),
            texts([SEPARATOR.join(e.tags) for e in events]),
            texts([e.data for e in events]),
            texts([e.actor for e in events]),
            texts([e.correlation_id for e in events]),
            texts([e.causation_id for e in events]),
            integers([n for n, _ in conditions]),
            texts([SEPARATOR.join(q.types) for _, q in conditions]),
            texts([SEPARATOR.join(q.tags) for _, q in conditions]),
            integers([n for n, _ in keys]),
            texts([k.key for _, k in keys]),
            texts([k.fingerprint for _, k in keys]),
            texts([k.result for _, k in keys]),
            integers([self.events_before[n - 1] for n, _ in keys]),
        ]


class Answer(Struct, frozen=True, kw_only=True):
    """Either the heads that the tenants had, or which items are refused and why."""

    heads: list[int]
    refused: dict[int, Exception]


async def call(connection: Connection, writer: UUID, number: int, batch: Batch) -> Answer:
    """Append *batch* under its number, or learn which of its items can't be."""
    cursor = await connection.execute(CALL, (writer, number, *batch.columns()), prepare=True)
    rows = await cursor.fetchall()
    refused = {item - 1: _refusal(status) for item, status, _ in rows if status != "appended"}
    return Answer(heads=[] if refused else [base for _, _, base in rows], refused=refused)


async def settle(connection: Connection, writer: UUID, number: int) -> list[int] | None:
    """Learn the heads that batch *number* was appended after; None: it is not, and never will."""
    row = await (await connection.execute(SETTLE, (writer, number))).fetchone()
    return row[0] if row else None


def _refusal(status: str) -> Exception:
    if status == "closed":
        return Refused(
            "tenants.closed",
            "The books of this tenant are closed.",
            hint="Restore the tenant with --reopen, or write to another.",
        )
    return KeyRepeated() if status == "repeated" else AppendConflict()
