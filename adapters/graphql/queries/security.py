"""`securityEntries`: what happened at the door, the newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import strawberry
from msgspec import Struct
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.queries.listing import asks_for_page
from adapters.graphql.queries.pages import PageInfo, PageInfoType
from adapters.graphql.scalars import Json, Position
from adapters.graphql.shapes import field_of, summary
from adapters.security.reading import SecurityAsked, SecurityPage, read_security
from application.security import SecurityEntry

SECURITY: Final = (
    "Logins, failures, refusals and uses of keys, and who was given what: the newest first."
    " `kind` is that of an entry, such as `LoginFailed`."
)


class SecurityEntryEdge(Struct, frozen=True):
    """An entry and its cursor."""

    cursor: str
    node: SecurityEntry


class SecurityEntryConnection(Struct, frozen=True, kw_only=True):
    """A page of the security log."""

    page: SecurityPage
    is_first: bool

    @property
    def nodes(self) -> Sequence[SecurityEntry]:
        return self.page.entries

    @property
    def edges(self) -> list[SecurityEntryEdge]:
        return [SecurityEntryEdge(node.cursor, node) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        ends = [node.cursor for node in (*self.nodes[:1], *self.nodes[-1:])]
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=not self.is_first,
            start_cursor=ends[0] if ends else None,
            end_cursor=ends[-1] if ends else None,
        )


@strawberry.type(name="SecurityEntry", description=summary(SecurityEntry))
class SecurityEntryType:
    position: Position
    kind: str
    at: datetime
    actor: str = strawberry.field(description="`user:…`, `key:…`, `cli:…` or `system`.")
    user: strawberry.ID | None = strawberry.field(description="Whom it is about.")
    key: strawberry.ID | None = strawberry.field(description="The API key that it is about.")
    address: str | None = strawberry.field(
        description="Of whoever called; where nobody is known, its network."
    )
    agent: str | None = strawberry.field(description="What the program called itself.")
    details: Json = strawberry.field(description="What else is known.")


@strawberry.type(name="SecurityEntryEdge", description=summary(SecurityEntryEdge))
class SecurityEntryEdgeType:
    cursor: str
    node: SecurityEntryType


@strawberry.type(name="SecurityEntryConnection", description=summary(SecurityEntryConnection))
class SecurityEntryConnectionType:
    edges: list[SecurityEntryEdgeType]
    nodes: list[SecurityEntryType]
    page_info: PageInfoType


def security_fields() -> dict[str, StrawberryField]:
    """Make the field of Query that lists the security log."""
    security_entries.__annotations__["return"] = SecurityEntryConnectionType
    return {"security_entries": field_of(security_entries, SECURITY)}


async def security_entries(
    info: Info,
    *,
    first: int | None = None,
    after: str | None = None,
    user: strawberry.ID | None = None,
    kind: str | None = None,
    since: datetime | None = None,
) -> SecurityEntryConnection:
    asking = info.context
    asks_for_page(first, None)
    asked = SecurityAsked(first=first, after=after, user=user, kind=kind, since=since)
    page = await read_security(asking.runtime, asking.context, asked)
    return SecurityEntryConnection(page=page, is_first=after is None)
