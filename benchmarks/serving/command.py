"""A command, an invoice drafted, over REST and over GraphQL, beside a row inserted by FastAPI.

Ours is authenticated, decided, sealed, chained, and done once however often it is sent; the peer
checks its body and commits a row. Each request has an idempotency key of its own.
"""

from contextlib import ExitStack
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.turns import Findings
from benchmarks.serving.asking import Asked, Question, ask, asked_table
from benchmarks.serving.callers import Caller, open_books
from benchmarks.serving.load import MARK, Load
from benchmarks.serving.page import FASTAPI
from benchmarks.serving.servers import Listening, ours, served
from benchmarks.serving.sizes import Serving
from benchmarks.serving.tables import fill_peer
from benchmarks.support.report import Case, case

CONNECTIONS: Final = 32
KEY: Final = MARK.decode()
LINE: Final[dict[str, Any]] = {  # Any: JSON.
    "description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "quantity": "6",
    "unit_price": "2.55",
    "tax_rate": "21",
}
CUSTOMER: Final = {"code": "C351", "name": "García Hernández e Hijos 351, S.L."}
MUTATION: Final = """
mutation Draft($input: DraftInvoiceInput!, $key: String) {
  draftInvoice(input: $input, idempotencyKey: $key) { position invoice events { type position } }
}
"""
DRAFTED: Final = b"InvoiceDrafted"
INSERTED: Final = b'"id":'


class Way(Struct, frozen=True):
    """How a command is sent to whom, and what every answer holds."""

    name: str
    listening: Listening
    question: Question
    wanted: bytes


def command(bench: Serving) -> Findings:
    server = bench.server
    with server.fresh_database("command") as urls, ExitStack() as stack:
        caller = open_books(server, urls, "command")
        fill_peer(urls)
        ways = _ways(bench, urls, caller, stack)
        turns = [
            [ask(server, way.listening, _load(way, bench.pace.seconds)) for way in ways]
            for _ in range(bench.pace.turns)
        ]
    return _findings(ways, turns)


def _ways(bench: Serving, urls: Urls, caller: Caller, stack: ExitStack) -> list[Way]:
    server = bench.server
    own = stack.enter_context(ours(server, urls))
    peer = stack.enter_context(served(server, urls, "peer_fastapi", FASTAPI))
    keyed = (*caller.headers, ("Idempotency-Key", KEY))
    rest, graphql, row = (
        {"lines": [LINE], "customer": CUSTOMER},
        {"lines": [{_camel(name): each for name, each in LINE.items()}], "customer": CUSTOMER},
        {"customer_code": CUSTOMER["code"], "customer_name": CUSTOMER["name"], **LINE},
    )
    asked = {"query": MUTATION, "variables": {"input": graphql, "key": KEY}}
    encode = msgspec.json.encode
    return [
        Way("REST", own, _post("/api/v1/invoices", encode(rest), keyed), DRAFTED),
        Way("GraphQL", own, _post("/graphql", encode(asked), caller.headers), DRAFTED),
        Way(FASTAPI, peer, _post("/drafts", encode(row), ()), INSERTED),
    ]


def _post(path: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> Question:
    return Question(path=path, body=body, headers=headers)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _load(way: Way, seconds: float) -> Load:
    return Load(
        port=way.listening.port,
        request=way.question.to(way.listening),
        connections=CONNECTIONS,
        seconds=seconds,
        wanted=way.wanted,
    )


def _findings(ways: list[Way], turns: list[list[Asked]]) -> Findings:
    table = asked_table(
        f"A command, {CONNECTIONS} connections, no projector running, medians of the turns",
        [(_title(way), [turn[place] for turn in turns]) for place, way in enumerate(ways)],
    )
    cases = [
        _case("REST", [rest.rate / row.rate for rest, _, row in turns], must=1.5, aim=3),
        _case("GraphQL", [graphql.rate / row.rate for _, graphql, row in turns], must=1.2, aim=2.5),
    ]
    return Findings(cases=cases, turns=[], tables=[table])


def _title(way: Way) -> str:
    if way.name == FASTAPI:
        return f"{FASTAPI}, one row inserted"
    return f"Asiento, draftInvoice by {way.name}"


def _case(name: str, ratios: list[float], *, must: float, aim: float) -> Case:
    return case(
        f"one command by {name}, requests a second",
        ratios,
        against=f"{FASTAPI}, one row inserted, no credential",
        must=must,
        aim=aim,
    )
