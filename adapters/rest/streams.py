"""Whole lists as CSV or NDJSON, a page at a time: what is held does not grow with the list.

A list that breaks off says so: NDJSON with a last line that holds the problem, CSV by a connection
that ends before its time, as a table has no place for what is no row.
"""

import csv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from io import StringIO
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Response
from litestar.response import Stream

from adapters.postgres.models.conditions import Model
from adapters.postgres.models.queries import Page
from adapters.postgres.models.tables import columns_of
from adapters.rest.problems import problem_of
from adapters.rest.tags import JSON, ReadRequest
from application.errors import ApplicationError
from projections.kernel import Row

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
OFFERED: Final = (JSON, CSV, NDJSON)
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""How a text begins that a spreadsheet may run, and the sign that keeps it from doing so."""

HARMLESS: Final = "'"
CSV_TYPE: Final = f"{CSV}; header=present"
Turn: TypeAlias = Callable[[str | None], Awaitable[Page]]
log = structlog.get_logger()


class NotAcceptable(ApplicationError):
    """The caller takes none of the forms that there are. Ask for one of them."""

    status = 406


def form_of(request: ReadRequest) -> str:
    """Choose the form of a list by what the caller accepts.

    Raises:
        NotAcceptable: It accepts none of those that there are.

    """
    if "accept" not in request.headers:
        return JSON
    form = request.accept.best_match(list(OFFERED))
    if form is None:
        raise NotAcceptable(
            "query.not_acceptable",
            f"A list has no form of {request.headers['accept'][:60]!r}.",
            hint=f"Accept one of {', '.join(OFFERED)}.",
        )
    return form


def stream(
    request: ReadRequest, model: Model, form: str, page: Page, turn: Turn | None
) -> Response[Any]:  # Any: of bytes as they come.
    """Send a list in a form, from its first page on; *turn* brings the page behind a cursor."""
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept"}
    if turn is None and page.has_next and page.cursors:
        headers["Link"] = f'<{_further(request, page.cursors[-1])}>; rel="next"'
    if form == CSV:
        headers["Content-Disposition"] = f'attachment; filename="{model.name}.csv"'
    sent = _nothing() if request.state.get("head") else parts(model, form, page, turn)
    return Stream(sent, media_type=CSV_TYPE if form == CSV else form, headers=headers)


def parts(model: Model, form: str, page: Page, turn: Turn | None) -> AsyncIterator[bytes]:
    """Write a list in a form, a page at a time."""
    return _csv(model, page, turn) if form == CSV else _ndjson(page, turn)


def _further(request: ReadRequest, cursor: str) -> str:
    """Write the address of the page behind *cursor*, relative to this one."""
    ways = {"after", "before", "last"}
    asked = [each for each in request.query_params.multi_items() if each[0] not in ways]
    return f"?{urlencode([*asked, ('after', cursor)])}"


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


async def _csv(model: Model, page: Page, turn: Turn | None) -> AsyncIterator[bytes]:
    table = Table(model)
    yield table.head()
    async for rows in _rows(page, turn):
        yield table.lines(rows)


async def _ndjson(page: Page, turn: Turn | None) -> AsyncIterator[bytes]:
    encoder = msgspec.json.Encoder()
    try:
        async for rows in _rows(page, turn):
            yield encoder.encode_lines(rows)
    except Exception as error:
        # Whatever it was, the reader must know: the lines before it look like a whole list.
        log.exception("list.broken_off")
        yield encoder.encode_lines([{"problem": problem_of(error)}])


async def _rows(page: Page, turn: Turn | None) -> AsyncIterator[Sequence[Row]]:
    while True:
        yield page.rows
        if turn is None or not page.has_next:
            return
        page = await turn(page.cursors[-1])


class Table:
    """Rows as lines of CSV (RFC 4180), with a column each and what is nested as JSON."""

    def __init__(self, model: Model) -> None:
        self._columns = columns_of(model.row)

    def head(self) -> bytes:
        return _written([[column.name for column in self._columns]])

    def lines(self, rows: Sequence[Row]) -> bytes:
        return _written(map(self._cells, rows))

    def _cells(self, row: Row) -> list[str]:
        plain = msgspec.to_builtins(row)
        return list(self._texts(plain))

    def _texts(self, plain: dict[str, Any]) -> Iterator[str]:  # Any: values of any column.
        for column in self._columns:
            value = plain[column.name]
            if value is None:
                yield ""
            elif column.is_json:
                yield msgspec.json.encode(value).decode()
            elif isinstance(value, bool):
                yield "true" if value else "false"
            elif column.type == "text" and value.startswith(FORMULA):
                yield HARMLESS + value
            else:
                yield str(value)


def _written(lines: Any) -> bytes:  # noqa: ANN401 - as the csv module takes them.
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
