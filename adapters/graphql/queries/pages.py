"""Connections: pages of a list by the Relay specification, read when a field of theirs is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import strawberry
from msgspec import Struct
from strawberry.types.field import StrawberryField

from adapters.graphql.shapes import field_of, list_of, made_class, summary
from adapters.postgres.models.queries import Page
from projections.kernel import Row

TOTAL_COUNT = "Of all pages together. Costs a count."


class PageInfo(Struct, frozen=True, kw_only=True):
    """Whether there is more behind and before a page, and the cursors to go on from."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


class Edge(Struct, frozen=True):
    """A row and its cursor."""

    cursor: str
    node: Row


class Connection(Struct, kw_only=True):
    """A page of a list, and the count of the whole: each is read where somebody asks for it."""

    read: Callable[[], Awaitable[Page]]
    count: Callable[[], Awaitable[int]]
    _reading: "asyncio.Future[Page] | None" = None

    async def page(self) -> Page:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self.read())
        return await self._reading


@strawberry.type(name="PageInfo", description=summary(PageInfo))
class PageInfoType:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@cache
def connection_of(node: type) -> type:
    """Return the page type of a node type, with its edges."""
    name = node.__name__
    edge = strawberry.type(made_class(f"{name}Edge", {"cursor": str, "node": node}))

    async def total_count(root: strawberry.Parent[Connection]) -> int:
        return await root.count()

    fields = {
        "edges": _of_page(_edges, list_of(edge)),
        "nodes": _of_page(lambda page: page.rows, list_of(node)),
        "page_info": _of_page(page_info, PageInfoType),
        "total_count": field_of(total_count, TOTAL_COUNT),
    }
    made: type = strawberry.type(made_class(f"{name}Connection", {}, fields))
    return made


def page_info(page: Page) -> PageInfo:
    cursors = page.cursors
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def _edges(page: Page) -> Sequence[Edge]:
    return list(map(Edge, page.cursors, page.rows))


def _of_page(part: Callable[[Page], object], returns: object) -> StrawberryField:
    async def resolve(root: strawberry.Parent[Connection]) -> object:
        return part(await root.page())

    resolve.__annotations__["return"] = returns
    return field_of(resolve, None)
