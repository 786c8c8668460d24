"""How a page's cost grows with the table: first, deep, and filtered pages of 50 invoices.

Each size has a database and an API of its own, all there at once, so that every turn asks each of
them; customers grow with the invoices, as do the invoices of a day.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from shutil import disk_usage
from typing import Any, Final, LiteralString

import msgspec
from msgspec import Struct
from psycopg import sql

from adapters.embedded.servers import Urls
from benchmarks.appending.turns import Findings
from benchmarks.projecting.tables import owner
from benchmarks.serving.asking import Asked, Question, ask, asked_table
from benchmarks.serving.callers import Caller, open_books
from benchmarks.serving.load import Load
from benchmarks.serving.page import CONNECTIONS, ROWS, SELECTED, graphql
from benchmarks.serving.servers import Listening, ours
from benchmarks.serving.sizes import Serving
from benchmarks.serving.tables import TABLE, fill
from benchmarks.support.report import Case, case

INVOICE_BYTES: Final = 2_500
"""Disk that an invoice takes with its indexes, and room to spare."""

QUERY: Final = (
    "query Page($first: Int!, $after: String, $filter: InvoiceFilter, $orderBy: InvoiceOrder) {"
    " invoices(first: $first, after: $after, filter: $filter, orderBy: $orderBy)"
    f" {{ nodes {{ {SELECTED} }} pageInfo {{ hasNextPage endCursor }} }} }}"
)
DAYS: Final = {"gte": "2025-01-01", "lt": "2025-01-11"}
KINDS: Final[Mapping[str, Mapping[str, Any]]] = {  # Any: variables are JSON.
    "first page": {},
    "deep page": {},
    "page of a customer": {"filter": {"customerCode": {"eq": "C7"}}},
    "page of ten days, by date": {"filter": {"issuedOn": DAYS}, "orderBy": "ISSUED_ON_DESC"},
    "page of ten days, by key": {"filter": {"issuedOn": DAYS}},
}
MIDDLE: LiteralString = "SELECT invoice FROM {} ORDER BY tenant_id, invoice OFFSET %s LIMIT 1"


class Size(Struct, frozen=True):
    """A table of so many invoices, and the API before it."""

    invoices: int
    listening: Listening
    loads: list[Load]


def growth(bench: Serving) -> Findings:
    with ExitStack() as stack:
        sizes = [
            stack.enter_context(_size(bench, invoices))
            for invoices in _that_fit(bench.sizes.growth, disk_usage(bench.server.folder).free)
        ]
        turns = [
            {
                (kind, size.invoices): ask(bench.server, size.listening, load)
                for place, kind in enumerate(KINDS)
                for size, load in ((size, size.loads[place]) for size in sizes)
            }
            for _ in range(bench.pace.turns)
        ]
    return _findings([size.invoices for size in sizes], turns)


@contextmanager
def _size(bench: Serving, invoices: int) -> Iterator[Size]:
    server = bench.server
    with server.fresh_database(f"growth_{invoices}") as urls:
        caller = open_books(server, urls, "growth")
        fill(urls, caller.tenant, invoices)
        with ours(server, urls) as listening:
            middle = _middle(urls, caller, listening, invoices)
            loads = [
                _load(
                    bench, caller, listening, {**asked, **(middle if kind == "deep page" else {})}
                )
                for kind, asked in KINDS.items()
            ]
            yield Size(invoices, listening, loads)


def _middle(
    urls: Urls, caller: Caller, listening: Listening, invoices: int
) -> dict[str, Any]:  # Any: variables are JSON.
    """Find the cursor in the middle of the table, as a client has it that came there."""
    with owner(urls) as admin:
        statement = sql.SQL(MIDDLE).format(sql.Identifier(TABLE))
        row = admin.execute(statement, (invoices // 2,)).fetchone()
    assert row is not None, "It was filled."
    query = (
        "query One($filter: InvoiceFilter) {"
        " invoices(first: 1, filter: $filter) { pageInfo { endCursor } } }"
    )
    asked = graphql(query, {"filter": {"id": {"eq": row[0]}}}, caller.headers)
    answer = msgspec.json.decode(asked.ask_once(listening))
    return {"after": answer["data"]["invoices"]["pageInfo"]["endCursor"]}


def _load(
    bench: Serving, caller: Caller, listening: Listening, asked: Mapping[str, Any]
) -> Load:  # Any: variables are JSON.
    """Ask once, and see that the page is full.

    Raises:
        RuntimeError: It is not.

    """
    question: Question = graphql(QUERY, {"first": ROWS, **asked}, caller.headers)
    answer = question.ask_once(listening)
    page = (msgspec.json.decode(answer).get("data") or {}).get("invoices")
    if page is None or len(page["nodes"]) != ROWS:
        raise RuntimeError(f"{asked} is no full page: {answer[:600]!r}")
    return question.load(listening, answer, connections=CONNECTIONS, seconds=bench.pace.seconds)


def _that_fit(sizes: tuple[int, ...], free_bytes: int) -> list[int]:
    """Leave out what the disk has no room for, and say so."""
    kept: list[int] = []
    for invoices in sizes:
        free_bytes -= invoices * INVOICE_BYTES
        if free_bytes > 0:
            kept.append(invoices)
        else:
            print(f"api: growth: no room for {invoices:,} invoices.", file=sys.stderr)
    return kept


def _findings(sizes: list[int], turns: list[dict[tuple[str, int], Asked]]) -> Findings:
    return Findings(
        cases=[_case(kind, sizes, turns) for kind in KINDS],
        turns=[],
        tables=[
            asked_table(
                f"Pages as the table grows, {CONNECTIONS} connections, medians of the turns",
                [
                    (f"{kind}, {size:,} invoices", [turn[kind, size] for turn in turns])
                    for kind in KINDS
                    for size in sizes
                ],
            )
        ],
    )


def _case(kind: str, sizes: list[int], turns: list[dict[tuple[str, int], Asked]]) -> Case:
    costs = [[turn[kind, size].cpu_ms for size in sizes] for turn in turns]
    told = ", ".join(f"{size:,}" for size in sizes)
    return case(
        f"growth: {kind}, CPU a request, the dearest size",
        [max(each) / min(each) for each in costs],
        against=f"the cheapest of {told} invoices",
        better="lower",
        must=2,
    )
