"""`history`: why a row of any read model is what it is, event by event."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import strawberry
from msgspec import Struct
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.queries.listing import asks_for_page
from adapters.graphql.queries.pages import PageInfo, PageInfoType
from adapters.graphql.scalars import POSITION, Json, Long, Position
from adapters.graphql.shapes import field_of, summary
from adapters.history import read_history
from application.errors import Malformed
from application.history import FieldChange, HistoryEntry, ImportSource

HISTORY: Final = (
    "Each event that touched a row, oldest first: when, by whom, whence, and what it changed."
    " `model` is the type of the row, such as `Invoice`, or the name of its list."
)


class HistoryEdge(Struct, frozen=True):
    """An event and its cursor."""

    cursor: str
    node: HistoryEntry


class HistoryConnection(Struct, frozen=True, kw_only=True):
    """A page of a history."""

    nodes: Sequence[HistoryEntry]
    has_next: bool
    has_previous: bool

    @property
    def edges(self) -> list[HistoryEdge]:
        return [HistoryEdge(str(node.position), node) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        ends = [str(node.position) for node in (*self.nodes[:1], *self.nodes[-1:])]
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=ends[0] if ends else None,
            end_cursor=ends[-1] if ends else None,
        )


@strawberry.type(name="ImportSource", description=summary(ImportSource))
class ImportSourceType:
    batch: strawberry.ID
    file_name: str | None
    job: strawberry.ID | None
    lines: list[Long]


@strawberry.type(name="FieldChange", description=summary(FieldChange))
class FieldChangeType:
    field: str
    before: Json | None
    after: Json | None


@strawberry.type(name="HistoryEntry", description=summary(HistoryEntry))
class HistoryEntryType:
    position: Position
    type: str
    recorded_at: datetime
    actor: str = strawberry.field(
        description="`user:…`, `key:…`, `job:…`, `reaction:…`, `cli:…` or `system`."
    )
    actor_name: str | None = strawberry.field(
        description="The user's address, the key's name or the job's kind, where it is known."
    )
    command: str | None = strawberry.field(description="What was asked for, where no job did it.")
    correlation_id: str
    causation_id: str
    source: ImportSourceType | None
    changes: list[FieldChangeType]


@strawberry.type(name="HistoryEdge", description=summary(HistoryEdge))
class HistoryEdgeType:
    cursor: str
    node: HistoryEntryType


@strawberry.type(name="HistoryConnection", description=summary(HistoryConnection))
class HistoryConnectionType:
    edges: list[HistoryEdgeType]
    nodes: list[HistoryEntryType]
    page_info: PageInfoType


def history_fields() -> dict[str, StrawberryField]:
    """Make the field of Query that explains rows."""
    history.__annotations__["return"] = HistoryConnectionType
    return {"history": field_of(history, HISTORY)}


async def history(
    info: Info,
    model: str,
    id: strawberry.ID,  # noqa: A002 - the contract's word.
    first: int | None = None,
    after: str | None = None,
) -> HistoryConnection:
    asking = info.context
    asks_for_page(first, None)
    page = await read_history(
        asking.runtime, asking.context, model, id, first=first, after=_place(after)
    )
    return HistoryConnection(
        nodes=page.entries, has_next=page.has_next, has_previous=after is not None
    )


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if POSITION.fullmatch(cursor):
        return int(cursor)
    raise Malformed(
        "query.bad_cursor",
        "The cursor is damaged, or of another list.",
        hint="Take the cursors of a page of the same history.",
    )
