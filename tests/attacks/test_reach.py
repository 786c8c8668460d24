"""Addresses that tenants give: however they are written, none leads to a server inside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import httpcore
import pytest

from adapters.credentials.outside import open_outside
from adapters.webhooks.sending import CheckedBackend, open_sender
from application.webhooks import Reach
from domain.kernel import Refused
from domain.webhooks import check_url

SECONDS_MAX: Final = 5.0
HOSTS: Final = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[fe80::1%25lo]",
)
MALFORMED: Final = (
    "https://me@example.com/",
    "https://example.com:x@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/\r\nHost: 127.0.0.1",
    "https://example.com/ HTTP/1.1",
    "https://ex\u0430mple.com/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://example.com#@127.0.0.1/",
    "https://",
    "https:///path",
    "https://[::1",
    "https://example.com:99999/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://example.com/",
    "dict://127.0.0.1:6379/info",
    "javascript:alert(1)",
    "//127.0.0.1/",
    "unix:/run/postgresql",
)


class Inside:
    """A server inside that counts who comes, and answers with *answer*."""

    def __init__(self) -> None:
        self.came = 0
        self.port = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Inside]:
    inside = Inside()
    async with await asyncio.start_server(inside.take, "127.0.0.1", 0) as server:
        inside.port = server.sockets[0].getsockname()[1]
        yield inside


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    async with listening() as inside:
        yield inside


@pytest.mark.parametrize("host", HOSTS)
async def test_no_writing_of_an_address_inside_is_connected_to(inside: Inside, host: str) -> None:
    reach, url = Reach(http=True), f"http://{host}:{inside.port}/"
    async with open_sender(reach, SECONDS_MAX) as sender:
        answer = await sender.post(url, [], b"{}")
    async with open_outside(reach, SECONDS_MAX) as client:
        with pytest.raises(Exception, match=r"not public|connection failed"):
            await client.post(url, {}, b"")
    assert (answer.status, inside.came) == (None, 0)


async def test_who_may_be_connected_to_is_heard(inside: Inside) -> None:
    """Or the test above would hear nobody, whoever came."""
    async with open_sender(Reach(http=True, private=True), SECONDS_MAX) as sender:
        answer = await sender.post(f"http://2130706433:{inside.port}/", [], b"{}")
    assert (answer.status, inside.came) == (200, 1)


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_plain_address_is_not_taken(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url)
    assert refused.value.code == "webhooks.bad_url"


async def test_a_redirect_leads_no_secret_elsewhere(inside: Inside) -> None:
    async with listening() as elsewhere, open_outside(Reach(http=True, private=True), 5.0) as asks:
        for status in (301, 302, 303, 307, 308):
            place = f"http://127.0.0.1:{elsewhere.port}/"
            head = f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
            inside.answer = head.encode()
            reply = await asks.post(f"http://127.0.0.1:{inside.port}/token", {}, b"secret")
            assert reply.status == status
    assert elsewhere.came == 0


async def test_a_name_is_looked_up_once_for_the_check_and_the_connection(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nobody can name a public address to the one and another to the other."""
    looked_up: list[object] = []

    async def look_up(host: object, *_given: object, **_named: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", inside.port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    backend = CheckedBackend(Reach(private=True))
    await (await backend.connect_tcp("rebind.example", inside.port, SECONDS_MAX)).aclose()
    assert looked_up == ["rebind.example"]
    with pytest.raises(Refused):
        await CheckedBackend(Reach()).connect_tcp("rebind.example", inside.port, SECONDS_MAX)


async def test_a_url_is_taken_apart_alike_by_who_checks_and_who_connects() -> None:
    for url in ("https://a.example:8443/x?y=https://b.example", "https://A.EXAMPLE/"):
        check_url(url)
        assert httpcore.URL(url).host.decode().lower() == urlsplit(url).hostname
