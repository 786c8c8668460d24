"""What every answer says for its safety, who may read it from a browser, and what is compressed."""

import gzip
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar, get
from litestar.response import ServerSentEvent, Stream

from adapters.rest.app import make_app
from adapters.rest.compression import Compression
from adapters.settings import Settings
from tests.rest.test_commands import LINES, drafted

BOOKS = "https://books.example"


def serving(app: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # ASGI types differ by library.
    return httpx.AsyncClient(transport=transport, base_url="http://asiento.test")


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/api/v1/invoices", "/docs"])
async def test_every_answer_is_taken_for_what_it_says_it_is(
    stranger: httpx.AsyncClient, path: str
) -> None:
    headers = (await stranger.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert len(headers.get_list("content-security-policy")) == 1
    assert "strict-transport-security" not in headers
    assert "server" not in headers


async def test_what_is_not_said_to_be_kept_is_kept_by_nobody(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/invoices", json={"lines": LINES})
    assert made.headers["cache-control"] == "no-store"
    assert (await client.get("/api/v1/invoices")).headers["cache-control"] == "private, no-cache"


async def test_https_is_asked_for_where_it_is_said_to_be_there() -> None:
    async with serving(make_app(Settings(hsts_seconds=600))) as client:
        headers = (await client.get("/healthz")).headers
    assert headers["strict-transport-security"] == "max-age=600; includeSubDomains"


async def test_a_page_of_ours_may_call_from_a_browser() -> None:
    ask = {
        "Origin": BOOKS,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, if-match",
    }
    async with serving(make_app(Settings(cors_origins=f"https://x.example, {BOOKS}"))) as client:
        asked = await client.options("/api/v1/invoices", headers=ask)
        got = await client.get("/healthz", headers={"Origin": BOOKS})
        foreign = await client.options("/api/v1/invoices", headers={**ask, "Origin": "https://e"})
        plain = await client.get("/healthz", headers={"Origin": "https://e"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == BOOKS
    assert "Idempotency-Key".lower() in asked.headers["access-control-allow-headers"].lower()
    assert got.headers["access-control-allow-origin"] == BOOKS
    assert "ETag" in got.headers["access-control-expose-headers"]
    assert foreign.status_code == 400
    assert "access-control-allow-origin" not in plain.headers


async def test_no_page_may_call_where_none_is_named() -> None:
    async with serving(make_app(Settings())) as client:
        got = await client.get("/healthz", headers={"Origin": BOOKS})
    assert not [name for name in got.headers if name.startswith("access-control")]


async def test_a_large_answer_is_compressed_under_a_tag_of_its_own(
    client: httpx.AsyncClient,
) -> None:
    place = f"/api/v1/invoices/{await drafted(client, lines=LINES * 20)}?at_least=1"
    packed = await client.get(place)
    plain = await client.get(place, headers={"Accept-Encoding": "identity"})
    refused = await client.get(place, headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    assert "Accept-Encoding" in packed.headers["vary"]
    again = await client.get(place, headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.headers["etag"]) == (304, packed.headers["etag"])


async def test_a_small_answer_goes_out_as_it_is(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/healthz")
    assert "content-encoding" not in answer.headers


@get("/lines")
async def lines() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a" * 100, b"", b"b" * 100_000):
            yield part

    return Stream(parts(), media_type="application/x-ndjson")


@get("/events")
async def events() -> ServerSentEvent:
    async def told() -> AsyncIterator[str]:
        yield "x" * 5_000

    return ServerSentEvent(told())


@get("/coded")
async def coded() -> Stream:
    packed = [gzip.compress(b"z" * 9_000)]
    return Stream(iter(packed), media_type="text/plain", headers={"Content-Encoding": "gzip"})


@get("/picture", media_type="image/png")
async def picture() -> bytes:
    return b"p" * 9_000


async def test_what_is_a_stream_or_no_text_is_treated_as_such() -> None:
    app = Litestar([lines, events, coded, picture], logging_config=None, openapi_config=None)
    async with serving(Compression(app, 1_000)) as client:
        streamed, told, once, seen = [
            await client.get(path) for path in ("/lines", "/events", "/coded", "/picture")
        ]
    assert streamed.headers["content-encoding"] == "gzip"
    assert streamed.content == b"a" * 100 + b"b" * 100_000
    assert "content-encoding" not in told.headers
    assert once.content == b"z" * 9_000
    assert "content-encoding" not in seen.headers


async def test_each_part_of_a_stream_can_be_read_when_it_comes() -> None:
    sent: list[bytes] = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-type", b"text/csv")]})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"first", "more_body": True})  # type: ignore[operator]

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            body = message["body"]
            assert isinstance(body, bytes)
            sent.append(body)

    scope = {"type": "http", "headers": [(b"accept-encoding", b"br, gzip")]}
    await Compression(app, 1_000)(scope, None, send)  # type: ignore[arg-type]  # As ASGI has them.
    assert zlib.decompressobj(31).decompress(b"".join(sent)) == b"first"
