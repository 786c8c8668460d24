"""How long a session that was ended still opens: asked without a pause until it is refused."""

import asyncio
from time import perf_counter
from typing import Final

import httpx

from adapters.access.refreshing import end_sessions
from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.appending.turns import Findings
from benchmarks.authenticating.people import Person, instance, log_in, make_companies
from benchmarks.authenticating.sizes import Authenticating
from benchmarks.serving.servers import Listening, ours
from benchmarks.support.report import case

PATH: Final = "/api/v1/account/sessions"
SECONDS_MAX: Final = 10.0
UNKNOWN: Final = 401


def revoking(bench: Authenticating) -> Findings:
    server = bench.server
    with server.fresh_database("revoking") as urls, ours(server, urls) as listening:
        seconds = asyncio.run(_seconds(server, urls, listening, bench.sizes.revoked))
    found = case(
        "seconds until a session that was ended opens nothing",
        seconds,
        against="the commit that ended it",
        better="lower",
        must=1.0,
    )
    return Findings(cases=[found], turns=[], tables=[])


async def _seconds(server: Server, urls: Urls, listening: Listening, count: int) -> list[float]:
    async with instance(server, urls) as runtime, httpx.AsyncClient(trust_env=False) as client:
        [people] = await make_companies(runtime, 1, count)
        found = []
        for person in await log_in(runtime, people):
            await _opens(client, listening, person)
            ending = asyncio.create_task(end_sessions(runtime, person.user))
            await ending
            since = perf_counter()
            while await _opens(client, listening, person):
                if perf_counter() - since > SECONDS_MAX:
                    raise TimeoutError(f"It still opens after {SECONDS_MAX} s.")
            found.append(perf_counter() - since)
        return found


async def _opens(client: httpx.AsyncClient, listening: Listening, person: Person) -> bool:
    shown = {"Authorization": f"Bearer {person.token}"}
    answer = await client.get(f"{listening.url}{PATH}", headers=shown)
    if answer.status_code not in {200, UNKNOWN}:
        raise RuntimeError(f"It says {answer.status_code}: {answer.text[:600]}")
    return answer.status_code != UNKNOWN
