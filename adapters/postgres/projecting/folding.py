"""One batch of a read model: the rows that it touches are read, folded and written in bulk."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from time import perf_counter
from typing import Any, TypeAlias

from msgspec import Struct

from adapters.postgres.connections import Asked, Connection
from adapters.postgres.models.rows import Table, ask_for_rows, loaded, write_rows
from adapters.postgres.projecting.forgetting import forget
from adapters.postgres.projecting.news import (
    FoldingFailed,
    News,
    concerns,
    opened,
)
from application import codec
from application.vault import Vault
from domain.ids import TenantId
from domain.kernel import Event
from projections.kernel import ReadModel, Row, events_of


class Folded(Struct, frozen=True, kw_only=True):
    """How far a batch came, how many events it held, and the time that folding took."""

    position: int
    events: int
    failure: FoldingFailed | None = None
    fold_seconds: float = 0.0


_Touch: TypeAlias = tuple[int, Event, tuple[str, ...]]
"""An event, its position, and the rows that it touches."""


class Begun(Struct, frozen=True):
    """A batch of a model whose rows were sent for: what touches them, and why no more."""

    table: Table
    tenant: TenantId
    reached: int
    touches: Sequence[_Touch]
    failure: FoldingFailed | None
    rows: Asked | None = None


class _Touched(Struct, frozen=True, kw_only=True):
    """The rows that events made, the last that touched each, and how many there were."""

    rows: dict[str, Row | None]
    positions: dict[str, int]
    events: int
    failure: FoldingFailed | None


def stored_names(model: type[ReadModel[Any]]) -> frozenset[str]:  # Any: of any row.
    """Name the events that *model* understands, as the log may hold them."""
    return _named_in_the_log(events_of(model))


@cache
def _named_in_the_log(events: tuple[type[Event], ...]) -> frozenset[str]:
    return frozenset(codec.stored_names(events))


async def fold_news(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    news: News,
    *,
    after: int,
    vault: Vault,
    skipped: Collection[int] = (),
) -> Folded:
    """Fold what is new to a model that came up to *after*; what an operator skipped is left out."""
    begun = await begin_to_fold(
        connection, table, tenant, news, after=after, vault=vault, skipped=skipped
    )
    return await fold_begun(connection, begun)


async def begin_to_fold(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    news: News,
    *,
    after: int,
    vault: Vault,
    skipped: Collection[int] = (),
) -> Begun:
    """Do as much of ``fold_news`` as needs no row, and send for the rows."""
    if news.forgetting is not None and news.reached > after:
        failure = await forget(
            connection, table, tenant, news.forgetting, position=news.reached, vault=vault
        )
        if failure is not None:
            return Begun(table, tenant, reached=news.reached, touches=(), failure=failure)
    names = stored_names(table.model)
    mine = [
        item
        for item in news.items
        if item.position > after and concerns(item, names) and item.position not in skipped
    ]
    broken = next((n for n, item in enumerate(mine) if item.failure is not None), len(mine))
    events = [(item.position, opened(item.event)) for item in mine[:broken]]
    failure = mine[broken].failure if broken < len(mine) else None
    return await _begun(connection, table, tenant, events, failure, reached=news.reached)


async def fold_begun(connection: Connection, begun: Begun) -> Folded:
    """Fold, and write the rows."""
    began = perf_counter()
    touched = await _touch(begun)
    seconds = perf_counter() - began
    await write_rows(connection, begun.table, begun.tenant, touched.rows, touched.positions)
    failure = touched.failure
    return Folded(
        position=begun.reached if failure is None else failure.position - 1,
        events=touched.events,
        failure=failure,
        fold_seconds=seconds,
    )


async def fold_events(
    connection: Connection, table: Table, tenant: TenantId, events: Sequence[tuple[int, Event]]
) -> FoldingFailed | None:
    """Fold events into the rows there are; return why not all of them."""
    begun = await _begun(connection, table, tenant, events, None, reached=0)
    return (await fold_begun(connection, begun)).failure


async def _begun(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    events: Sequence[tuple[int, Event]],
    failure: FoldingFailed | None,
    *,
    reached: int,
) -> Begun:
    touches, failure = _touches(table.model, events, failure)
    keys = {key for *_, touched in touches for key in touched}
    rows = await ask_for_rows(connection, table, tenant, keys) if keys else None
    return Begun(table, tenant, reached=reached, touches=touches, failure=failure, rows=rows)


async def _touch(begun: Begun) -> _Touched:
    """Take the rows that events touch, and fold."""
    model, failure = begun.table.model, begun.failure
    rows: dict[str, Row | None] = {}
    if begun.rows is not None:
        rows |= await loaded(begun.rows, begun.table)
    positions: dict[str, int] = {}
    folded = 0
    for position, event, touched in begun.touches:
        try:
            changed = {key: model.fold(rows.get(key), event, key) for key in touched}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded and shown.
            failure = FoldingFailed(position, error)
            break
        rows |= changed
        positions |= dict.fromkeys(touched, position)
        folded += 1
    written = {key: rows[key] for key in positions}
    return _Touched(rows=written, positions=positions, events=folded, failure=failure)


def _touches(
    model: type[ReadModel[Any]],
    events: Iterable[tuple[int, Event]],
    failure: FoldingFailed | None,
) -> tuple[list[_Touch], FoldingFailed | None]:
    """Name the rows that each event touches, up to one for which that can't be said."""
    found: list[_Touch] = []
    for position, event in events:
        try:
            found.append((position, event, model.keys(event)))
        except Exception as error:  # noqa: BLE001 - as where events are folded.
            return found, FoldingFailed(position, error)
    return found, failure
