"""The events that the contract of event stores talks about, and short ways to read them."""

from application.ports import EventStore, KeyedResult, NewEvent, QueryItem, StoredEvent
from domain.ids import TenantId

BOLT, NUT, SHELF = "item:bolt", "item:nut", "shelf:7"


def event(kind: str = "Counted", *tags: str, data: str = "{}") -> NewEvent:
    return NewEvent(
        type=kind,
        tags=tuple(sorted(tags)),
        data=data,
        actor="user:ana",
        correlation_id="request-1",
        causation_id="command-1",
    )


def key(name: str, result: str = "first") -> KeyedResult:
    return KeyedResult(key=name, fingerprint="f", result=result)


async def all_of(store: EventStore, tenant: TenantId) -> list[StoredEvent]:
    return [stored async for stored in store.read(tenant)]


async def positions(
    store: EventStore,
    tenant: TenantId,
    *query: QueryItem,
    after: int = 0,
    until: int | None = None,
    limit: int | None = None,
    backwards: bool = False,
) -> list[int]:
    found = store.read(tenant, query, after=after, until=until, limit=limit, backwards=backwards)
    return [stored.position async for stored in found]
