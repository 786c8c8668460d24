"""A page of 50 invoices over GraphQL, beside the same page as others would serve it.

All of them read what is in one database, and are asked in turns. Every first answer is compared
with what the database says, and each one behind it with the length of that.
"""

from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.turns import Findings
from benchmarks.serving import postgraphile
from benchmarks.serving.asking import Asked, Question, ask, asked_table
from benchmarks.serving.callers import open_books
from benchmarks.serving.load import Load
from benchmarks.serving.servers import Listening, ours, served
from benchmarks.serving.sizes import Serving
from benchmarks.serving.tables import Shown, fill, fill_peer, first_page, shown
from benchmarks.support.report import Case, case

ROWS: Final = 50
CONNECTIONS: Final = 16
NAME: Final = f"GraphQL page of {ROWS} invoices"
SELECTED: Final = "number total customer { name } lines { description quantity unitPrice amount }"
PAGE: Final = f"query Page($first: Int!) {{ invoices(first: $first) {{ nodes {{ {SELECTED} }} }} }}"
PLAIN_PAGE: Final = f"query Page($first: Int!) {{ invoices(first: $first) {{ {SELECTED} }} }}"
HAND_WRITTEN: Final = f"hand-written Litestar {version('litestar')} + msgspec"
FASTAPI: Final = f"FastAPI {version('fastapi')} + SQLAlchemy {version('sqlalchemy')} ORM"
STRAWBERRY: Final = f"strawberry {version('strawberry-graphql')} as it comes, on Litestar"


class Server(Struct, frozen=True):
    """Who is asked, what, and where in the answer the invoices are."""

    listening: Listening
    question: Question
    rows: Callable[[Any], list[dict[str, Any]]]  # Any: JSON.


def page(bench: Serving) -> Findings:
    server, sizes = bench.server, bench.sizes
    with server.fresh_database("page") as urls, ExitStack() as stack:
        caller = open_books(server, urls, "page")
        fill(urls, caller.tenant, sizes.invoices)
        fill_peer(urls)
        own = Server(
            stack.enter_context(ours(server, urls)),
            graphql(PAGE, {"first": ROWS}, caller.headers),
            lambda answer: answer["data"]["invoices"]["nodes"],
        )
        servers = [own, *_peers(bench, urls, stack)]
        expected = first_page(urls, ROWS)
        loads = [(each, _load(each, expected, bench.pace.seconds)) for each in servers]
        turns = [
            [ask(server, each.listening, load) for each, load in loads]
            for _ in range(bench.pace.turns)
        ]
    return _findings([each.listening.name for each in servers], turns)


def graphql(
    query: str, variables: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()
) -> Question:
    """Ask by a document; Any: variables are JSON."""
    body = msgspec.json.encode({"query": query, "variables": variables})
    return Question(path="/graphql", body=body, headers=headers)


def _peers(bench: Serving, urls: Urls, stack: ExitStack) -> list[Server]:
    def peer(module: str, name: str) -> Listening:
        return stack.enter_context(served(bench.server, urls, module, name))

    rest = Question(path=f"/invoices?first={ROWS}")
    found = [
        Server(peer("peer_litestar", HAND_WRITTEN), rest, lambda answer: answer),
        Server(peer("peer_fastapi", FASTAPI), rest, lambda answer: answer),
        Server(
            peer("peer_strawberry", STRAWBERRY),
            graphql(PLAIN_PAGE, {"first": ROWS}),
            lambda answer: answer["data"]["invoices"],
        ),
    ]
    if postgraphile.installed():
        listening = stack.enter_context(postgraphile.listening(bench.server, urls))
        asked = graphql(postgraphile.PAGE, {"first": ROWS})
        found.append(Server(listening, asked, postgraphile.rows))
    return found


def _load(asked: Server, expected: list[Shown], seconds: float) -> Load:
    """Ask once, and compare the answer with what the database says.

    Raises:
        RuntimeError: It is another.

    """
    answer = asked.question.ask_once(asked.listening)
    found = [
        shown(each["number"], each["total"], each["customer"]["name"], each["lines"])
        for each in asked.rows(msgspec.json.decode(answer))
    ]
    if found != expected:
        raise RuntimeError(f"{asked.listening.name} answers with another page: {answer[:600]!r}")
    return asked.question.load(asked.listening, answer, connections=CONNECTIONS, seconds=seconds)


def _findings(names: list[str], turns: list[list[Asked]]) -> Findings:
    cases = [
        case(
            f"{NAME}, CPU a request",
            [own.cpu_ms / hand_written.cpu_ms for own, hand_written, *_ in turns],
            against=f"{HAND_WRITTEN}, with neither credential nor tenant",
            better="lower",
            must=1.3,
            aim=0.9,
        )
    ]
    limits = ((10, 20), (15, 30), (2, 4))
    for place, (must, aim) in enumerate(limits[: len(names) - 2], start=2):
        cases.append(_times_faster(names[place], place, turns, must, aim))
    titles = [f"Asiento, {NAME}", *names[1:]]
    found = [(title, [turn[place] for turn in turns]) for place, title in enumerate(titles)]
    table = asked_table(
        f"The page, {CONNECTIONS} connections, medians of the turns"
        + ("" if len(names) == len(limits) + 2 else f". {postgraphile.ABSENT}"),
        found,
    )
    return Findings(cases=cases, turns=[], tables=[table])


def _times_faster(name: str, place: int, turns: list[list[Asked]], must: float, aim: float) -> Case:
    ratios = [turn[place].cpu_ms / turn[0].cpu_ms for turn in turns]
    return case(f"{NAME}, CPU of theirs to ours", ratios, against=name, must=must, aim=aim)
