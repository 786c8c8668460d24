"""Whether it gets dearer with the companies there are: logins, lists of companies, and rights.

Each size has a database and an API of its own, asked in turns, each time for another one of as
many people: by then what was known of the one before is half a second old and looked up anew.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from itertools import islice
from statistics import median
from time import monotonic, sleep
from typing import Final

import httpx
from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server, analyse
from benchmarks.appending.turns import Findings
from benchmarks.appending.usage import cpu, process_seconds
from benchmarks.authenticating.people import PASSWORD, Person, instance, log_in, make_companies
from benchmarks.authenticating.sizes import Authenticating
from benchmarks.projecting.processes import projector
from benchmarks.projecting.tables import owner
from benchmarks.serving.servers import Listening, ours
from benchmarks.support.report import Case, Table, case

MUST: Final = 1.2
CONNECTIONS: Final = 4
LOGINS_PART: Final = 5
"""A login takes as long as some twenty other requests."""

CAUGHT_UP_SECONDS: Final = 600
POLL_SECONDS: Final = 0.2
MEMBERS: Final = "SELECT count(*) FROM membership"
HEADER: Final = ("", "companies", "CPU ms a request, median of the turns")


class Size(Struct, frozen=True):
    """An instance with so many companies, and some of its people, round and round."""

    companies: int
    listening: Listening
    people: Iterator[Person]


class Ask(Struct, frozen=True, kw_only=True):
    """What is asked for a person, and for how many of them in a turn of all."""

    send: Callable[[httpx.AsyncClient, Person], httpx.Request]
    part: int = 1


def _login(client: httpx.AsyncClient, person: Person) -> httpx.Request:
    given = {"email": person.email, "password": PASSWORD}
    return client.build_request("POST", "/api/v1/login", json=given)


def _companies(client: httpx.AsyncClient, person: Person) -> httpx.Request:
    return client.build_request("GET", "/api/v1/account", headers=_shown(person))


def _rights(client: httpx.AsyncClient, person: Person) -> httpx.Request:
    address = "/api/v1/members?first=1"
    return client.build_request("GET", address, headers=_shown(person))


ASKED: Final[Mapping[str, Ask]] = {
    "a login": Ask(send=_login, part=LOGINS_PART),
    "the companies of a person": Ask(send=_companies),
    "a list, rights looked up": Ask(send=_rights),
}


def growth(bench: Authenticating) -> Findings:
    return asyncio.run(_growth(bench))


async def _growth(bench: Authenticating) -> Findings:
    found: dict[str, dict[int, list[float]]] = {}
    async with AsyncExitStack() as stack:
        sizes = [await _size(bench, stack, companies) for companies in bench.sizes.companies]
        for _ in range(bench.pace.turns):
            for name, ask in ASKED.items():
                for size in sizes:
                    count = max(1, bench.sizes.asked // bench.pace.turns // ask.part)
                    spent = await _spent(bench.server, size, ask, count)
                    found.setdefault(name, {}).setdefault(size.companies, []).append(spent)
    rows = [
        (name, f"{companies:,}", f"{median(turns):.2f}")
        for name, by_size in found.items()
        for companies, turns in by_size.items()
    ]
    table = Table(title="By the companies there are", header=HEADER, rows=rows)
    return Findings(cases=list(map(_case, found, found.values())), turns=[], tables=[table])


def _case(name: str, by_size: Mapping[int, list[float]]) -> Case:
    few, many = by_size.values()
    smaller, larger = by_size
    return case(
        f"{name}, CPU with {larger:,} companies",
        [dear / cheap for dear, cheap in zip(many, few, strict=True)],
        against=f"with {smaller:,}",
        better="lower",
        must=MUST,
    )


async def _size(bench: Authenticating, stack: AsyncExitStack, companies: int) -> Size:
    server, wanted = bench.server, bench.sizes
    urls = stack.enter_context(server.fresh_database(f"companies_{companies}"))
    with projector(server, urls):
        async with instance(server, urls) as runtime:
            made = await make_companies(runtime, companies, wanted.people)
            # As many people in each size, of as many companies as can be: so that no size is
            # dearer because more of its people are asked for the first time.
            people = [person for each in zip(*made, strict=True) for person in each]
            known = await log_in(runtime, people[: min(wanted.companies) * wanted.people])
        await asyncio.to_thread(_wait_until_known, urls, companies * wanted.people)
    analyse(urls)
    listening = stack.enter_context(ours(server, urls))
    return Size(companies, listening, _again_and_again(known))


def _wait_until_known(urls: Urls, members: int) -> None:
    """Wait until all who are members are found by who they are.

    Raises:
        TimeoutError: They are not.

    """
    deadline = monotonic() + CAUGHT_UP_SECONDS
    with owner(urls) as admin:
        while admin.execute(MEMBERS).fetchone() != (members,):
            if monotonic() > deadline:
                raise TimeoutError(f"Not all {members:,} members are known.")
            sleep(POLL_SECONDS)


def _again_and_again(people: list[Person]) -> Iterator[Person]:
    """Go round and round."""
    while True:
        yield from people


async def _spent(server: Server, size: Size, ask: Ask, count: int) -> float:
    """Ask for so many people, and return the CPU milliseconds of API and PostgreSQL for each."""
    people = list(islice(size.people, count))
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=size.listening.url, limits=limits, trust_env=False, timeout=60
    ) as client:
        used, api = cpu(server), process_seconds(size.listening.pid)[0]
        answers = await asyncio.gather(
            *(client.send(ask.send(client, person)) for person in people)
        )
        used_after, api_after = cpu(server), process_seconds(size.listening.pid)[0]
    for answer in answers:
        if not answer.is_success:
            raise RuntimeError(f"It says {answer.status_code}: {answer.text[:600]}")
    return (api_after - api + used_after.server - used.server) / count * 1000


def _shown(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}
