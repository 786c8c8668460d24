"""What it costs a command to find out who asks: by a key, a token and a cookie, beside no door.

The command is the one that the group ``api`` measures: an invoice drafted over REST.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Final

import msgspec

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.appending.turns import Findings
from benchmarks.authenticating.people import Person, instance, log_in, make_companies
from benchmarks.authenticating.sizes import Authenticating
from benchmarks.projecting.processes import environment
from benchmarks.serving.asking import Asked, Question, ask, asked_table
from benchmarks.serving.callers import Caller, open_books
from benchmarks.serving.command import CUSTOMER, DRAFTED, KEY, LINE
from benchmarks.serving.load import Load
from benchmarks.serving.servers import Listening, ours, started
from benchmarks.support.report import case

CONNECTIONS: Final = 32
OPEN: Final = "no door"
MUST: Final = 1.1


def overhead(bench: Authenticating) -> Findings:
    server = bench.server
    with server.fresh_database("overhead") as urls, ExitStack() as stack:
        caller = open_books(server, urls, "overhead")
        person = asyncio.run(_owner(server, urls))
        headers = _headers(caller, person)
        own = stack.enter_context(ours(server, urls))
        unguarded = stack.enter_context(_open_api(server, urls, person))
        asked: dict[str, list[Asked]] = {name: [] for name in headers}
        for _ in range(bench.pace.turns):
            for name, shown in headers.items():
                listening = unguarded if name == OPEN else own
                load = _load(listening, shown, bench.pace.seconds)
                asked[name].append(ask(server, listening, load))
    title = f"An invoice drafted by REST, {CONNECTIONS} connections, by how the caller is known"
    cases = [
        case(
            f"a command's CPU, known by {name}",
            [each.cpu_ms / bare.cpu_ms for each, bare in zip(found, asked[OPEN], strict=True)],
            against=f"the same API with {OPEN}",
            better="lower",
            must=MUST,
        )
        for name, found in asked.items()
        if name != OPEN
    ]
    return Findings(cases=cases, turns=[], tables=[asked_table(title, list(asked.items()))])


async def _owner(server: Server, urls: Urls) -> Person:
    async with instance(server, urls) as runtime:
        [[person]] = await make_companies(runtime, 1, 1)
        return (await log_in(runtime, [person]))[0]


def _open_api(server: Server, urls: Urls, person: Person) -> AbstractContextManager[Listening]:
    command = (sys.executable, "-m", "benchmarks.authenticating.open_api", person.tenant)
    known = dict(environment(server, urls))
    known.pop("LOG_LEVEL")
    return started(server, "Open", command, known)


def _headers(caller: Caller, person: Person) -> Mapping[str, tuple[tuple[str, str], ...]]:
    return {
        OPEN: (),
        "an API key": caller.headers,
        "an access token": (("Authorization", f"Bearer {person.token}"),),
        "a session's cookie": (("Cookie", person.cookies), ("X-CSRF-Token", person.csrf)),
    }


def _load(listening: Listening, shown: tuple[tuple[str, str], ...], seconds: float) -> Load:
    body = msgspec.json.encode({"lines": [LINE], "customer": CUSTOMER})
    headers = (*shown, ("Idempotency-Key", KEY))
    question = Question(path="/api/v1/invoices", body=body, headers=headers)
    return Load(
        port=listening.port,
        request=question.to(listening),
        connections=CONNECTIONS,
        seconds=seconds,
        wanted=DRAFTED,
    )
