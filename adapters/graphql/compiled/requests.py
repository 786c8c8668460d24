"""One request on a plan: its arguments become statements, and what these find the answer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, Final
from uuid import uuid4

from graphql import FieldNode, GraphQLField
from graphql.execution.values import VariableValues, get_argument_values
from msgspec import Struct, structs
from psycopg.pq.abc import PGresult
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.compiled.assembling import Connect, Found, Make, Pagings
from adapters.graphql.compiled.plans import Objects, Page, Rows
from adapters.graphql.compiled.selections import Uncompilable
from adapters.graphql.compiled.statements import Model, Window, Writer, pages_in
from adapters.graphql.scalars import Position
from adapters.postgres.at_once import Query
from adapters.postgres.models.conditions import (
    SEARCHED,
    Condition,
    Filter,
    filter_conditions,
    filterable,
    storage_tenant,
)
from adapters.postgres.models.paging import paging_of
from adapters.postgres.models.sight import require_some
from application.kernel import Context
from domain.ids import BranchId, TenantId

MARK: Final = TenantId(str(uuid4()))
"""Stands where each request's own tenant goes. No value that is sent can be taken for it."""

ACTOR: Final = str(uuid4())
BRANCH: Final = BranchId(str(uuid4()))
"""As the mark, where the caller goes, and in a list alone where its branches go."""

Arguments = Mapping[str, Any]  # Any: of any input type.


class Root(Struct, eq=False, frozen=True):
    """A field of Query: a list of a model, or a row of it.

    Attributes:
        key: Its name in the answer.
        page: Of a list; None: it is a row.

    """

    key: str
    node: FieldNode
    definition: GraphQLField
    model: Model
    page: Page | None
    connect: Connect | None
    objects: Objects | None
    make: Make | None

    @property
    def rows(self) -> Rows:
        """What is read, of a list or of a row."""
        read = self.page or self.objects
        assert read is not None, "It is one of the two."
        return read.rows


class Statement(Struct, frozen=True):
    """A statement of anybody's; parameters that are marks become what is the caller's."""

    tenant: TenantId
    text: bytes
    parameters: tuple[bytes | None, ...]

    def of(self, caller: Context) -> Query:
        mine = {
            MARKS[0]: caller.tenant.encode(),
            MARKS[1]: caller.actor.encode(),
            MARKS[2]: _text(sorted(caller.branches)),
        }
        return Query(
            caller.tenant if self.tenant == MARK else self.tenant,
            self.text,
            [mine.get(each, each) for each in self.parameters],
        )


def anybody(caller: Context) -> Context:
    """Put marks where others who have the same permissions differ."""
    return structs.replace(caller, tenant=MARK, actor=ACTOR, branches=frozenset({BRANCH}))


class Ready(Struct, frozen=True):
    """A field of Query with the arguments of a request: what is asked, and what becomes of it."""

    root: Root
    at_least: Position | None
    statements: Sequence[Statement]
    answer: Callable[[Sequence[PGresult]], object]


def make_ready(
    root: Root, variables: VariableValues, context: Context, tables: Mapping[str, str]
) -> Ready:
    """Write the statements of a field, for all who have the permissions of *context*.

    Raises:
        Uncompilable: An argument asks for what only the usual execution does.
        ApplicationError: An argument can't be understood, or the caller may not read.

    """
    require_some(root.model, context)
    arguments = get_argument_values(root.definition, root.node, variables)
    pages = list(pages_in(root.rows))
    windows = {page: _window(page, _nested(page, variables)) for page in pages}
    if root.page is None:
        if arguments.get("asOf") is not None:
            raise Uncompilable("asOf")
        writer = Writer(context, tables, windows)
        key = str(arguments["id"]) if "id" in arguments else MARK
        asked = [writer.row(root.rows, key)]
        answer = partial(_row, root, _pagings(windows))
    else:
        windows[root.page] = _window(root.page, arguments)
        writer = Writer(context, tables, windows)
        asked = [writer.page(root.page)] if root.page.reads_rows else []
        asked += [writer.count(root.page)] if root.page.count else []
        answer = partial(_page, root, _pagings(windows))
    tenant = storage_tenant(root.model, context)
    return Ready(
        root=root,
        at_least=arguments.get("atLeast"),
        statements=[_statement(tenant, each) for each in asked],
        answer=answer,
    )


def _pagings(windows: Mapping[Page, Window]) -> Pagings:
    return {page: window.paging for page, window in windows.items() if window.paging}


def _nested(page: Page, variables: VariableValues) -> Arguments:
    return get_argument_values(page.definition, page.node, variables)


def _window(page: Page, arguments: Arguments) -> Window:
    model = page.rows.model
    conditions = list(filter_conditions(model, _filter(model, arguments.get("filter"))))
    if not page.reads_rows:
        return Window(None, conditions)
    first, last, order = (arguments.get(name) for name in ("first", "last", "orderBy"))
    if first is None and last is None:
        raise Uncompilable("first")
    paging = paging_of(
        model,
        order.value if isinstance(order, Enum) else None,
        first=first,
        after=arguments.get("after"),
        last=last,
        before=arguments.get("before"),
    )
    return Window(paging, conditions)


def _filter(model: Model, given: Mapping[str, Mapping[str, object]] | None) -> Filter:
    if not given:
        return {}
    if SEARCHED in given:
        raise Uncompilable(SEARCHED)  # It looks for keys first.
    names = _columns(model)
    return {names[name]: comparisons or {} for name, comparisons in given.items()}


def _columns(model: Model) -> dict[str, str]:
    """Name the columns of a filter as GraphQL does."""
    return {
        "id" if column == model.key else to_camel_case(column): column
        for column in filterable(model)
    }


def _statement(tenant: TenantId, asked: Condition) -> Statement:
    """Number the parameters, and write them as texts."""
    pieces = asked.text.as_string(None).split("%s")
    text = pieces[0] + "".join(f"${at}{piece}" for at, piece in enumerate(pieces[1:], 1))
    return Statement(tenant, text.encode(), tuple(map(_text, asked.values)))


def _text(value: object) -> bytes | None:
    """Write a value as PostgreSQL reads it.

    Raises:
        Uncompilable: The usual execution says what is wrong with it.

    """
    match value:
        case None:
            return None
        case bool():
            return b"t" if value else b"f"
        case str():
            if "\0" in value or not _is_text(value):
                raise Uncompilable("text")
            return value.encode()
        case date() | datetime():
            return value.isoformat().encode()
        case int() | Decimal():
            return str(value).encode()
        case list():
            return b"{" + b",".join(map(_element, value)) + b"}"
    raise Uncompilable(type(value).__name__)


def _is_text(value: str) -> bool:
    """Tell whether it has an encoding: half of a pair of surrogates has none."""
    return not any("\ud800" <= each <= "\udfff" for each in value)


def _element(value: object) -> bytes:
    written = (_text(value) or b"").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + written + b'"'


MARKS: Final = (MARK.encode(), ACTOR.encode(), _text([BRANCH]))


def _page(root: Root, pagings: Pagings, results: Sequence[PGresult]) -> object:
    assert root.page is not None, "It is a list."
    assert root.connect is not None, "It is a list."
    found = list(results)
    counts: tuple[int, ...] = ()
    if root.page.count:
        counts = (int(found.pop().get_value(0, 0) or 0),)
    columns = _columns_of(found[0]) if found else []
    sizes = [found[0].ntuples if found else 0]
    (connection,) = root.connect(Found(columns, sizes, counts), pagings)
    return connection


def _row(root: Root, pagings: Pagings, results: Sequence[PGresult]) -> object:
    assert root.make is not None, "It is a row."
    if not results[0].ntuples:
        return None
    (row,) = root.make(_columns_of(results[0]), pagings)
    return row


def _columns_of(result: PGresult) -> list[list[bytes | None]]:
    get, rows = result.get_value, range(result.ntuples)
    return [[get(row, column) for row in rows] for column in range(result.nfields)]
