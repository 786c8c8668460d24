"""Whether an account is there can't be told from how often a login asks the servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from psycopg import conninfo

from adapters.access.login import Credentials, log_in
from adapters.access.sessions import Client
from adapters.runtime import Runtime, open_runtime
from adapters.security.notes import notes_of
from adapters.settings import Settings
from application.errors import Unauthenticated
from tests.access.people import enrol

CHUNK_BYTES = 1 << 16
QUIET_SECONDS = 0.1
TIMES = 3
WRONG = "guessed"


class Relay:
    """Stands before a server, and counts how often something is sent to it."""

    def __init__(self, host: str, port: int) -> None:
        self.asked, self.port = 0, 0
        self._target = (host, port)
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Relay"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection(*self._target)
        up = self._pass(reader, server, counted=True)
        both = (up, self._pass(answers, writer))
        self._serving |= {asyncio.create_task(each) for each in both}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                self.asked += counted
                writer.write(chunk)
        writer.close()


async def quiet(relays: list[Relay]) -> None:
    """Wait until nothing more is asked of what came before, such as hints to others."""
    seen: list[int] = []
    while (now := [each.asked for each in relays]) != seen:
        seen = now
        await asyncio.sleep(QUIET_SECONDS)


async def trips(runtime: Runtime, relays: list[Relay], email: str, address: str) -> list[int]:
    """Log in with a wrong password; count what that asks of each server."""
    await quiet(relays)
    before = [each.asked for each in relays]
    with pytest.raises(Unauthenticated):
        await log_in(runtime, Credentials(email=email, password=WRONG), Client(address=address))
    asked = [relay.asked - was for relay, was in zip(relays, before, strict=True)]
    await notes_of(runtime).drain()
    return asked


async def test_a_login_asks_the_servers_as_often_with_an_account_as_without(
    settings: Settings,
) -> None:
    database = conninfo.conninfo_to_dict(settings.database_url or "")
    redis = urlsplit(settings.redis_url or "")
    relays = [
        Relay(str(database["host"]), int(str(database["port"]))),
        Relay(redis.hostname or "", redis.port or 0),
    ]
    async with relays[0].open(), relays[1].open():
        own = replace(
            settings,
            database_url=conninfo.make_conninfo(
                settings.database_url or "", host="127.0.0.1", port=relays[0].port
            ),
            redis_url=redis._replace(
                netloc=redis.netloc.rpartition(":")[0] + f":{relays[1].port}"
            ).geturl(),
        )
        async with open_runtime(own) as runtime:
            await enrol(runtime, "ana@trips.example")
            for n, email in enumerate(("warm@trips.example", "ana@trips.example")):
                await trips(runtime, relays, email, f"10.2.{n}.1")
            there = [
                await trips(runtime, relays, "ana@trips.example", f"10.3.{n}.1")
                for n in range(TIMES)
            ]
            absent = [
                await trips(runtime, relays, f"no{n}@trips.example", f"10.4.{n}.1")
                for n in range(TIMES)
            ]
    # Some of them meet what runs beside them; the least is what a login itself takes.
    least = [list(map(min, zip(*each, strict=True))) for each in (there, absent)]
    assert least[0] == least[1]
    assert least[0][1] == 1
