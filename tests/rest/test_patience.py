"""Whoever sends a request by drops, or never ends its head, does not hold us."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets import Subprotocol
from websockets.asyncio.client import connect

from adapters.settings import Settings
from tests.rest.api import Tenant, api_process, caller, free_port

SECONDS_MAX = 1.0


@pytest.fixture(scope="module")
def hasty(api: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An API that waits for a second."""
    settings = msgspec.structs.replace(
        api, port=free_port(), request_seconds_max=SECONDS_MAX, request_head_bytes_max=8_192
    )
    with api_process(settings, tmp_path_factory.mktemp("hasty") / "log"):
        yield settings


async def answer_to(settings: Settings, *parts: bytes) -> tuple[bytes, float]:
    """Send parts, and read until the other side closes."""
    since = time.monotonic()
    reader, writer = await asyncio.open_connection(settings.asiento_host, settings.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer, time.monotonic() - since


def problem_in(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    problem: dict[str, object] = json.loads(body)
    return problem


async def test_a_head_that_does_not_end_is_answered_and_let_go(hasty: Settings) -> None:
    answer, seconds = await answer_to(hasty, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert problem_in(answer)["code"] == "http.request_timeout"
    assert SECONDS_MAX * 0.9 < seconds < SECONDS_MAX * 4


async def test_a_connection_that_says_nothing_is_closed(hasty: Settings) -> None:
    answer, seconds = await answer_to(hasty)
    assert (answer, seconds < SECONDS_MAX * 4) == (b"", True)


async def test_a_head_without_end_is_not_kept(hasty: Settings) -> None:
    lines = (b"X-%d: " % n + b"y" * 1_000 + b"\r\n" for n in range(20))
    answer, seconds = await answer_to(hasty, b"GET / HTTP/1.1\r\nHost: x\r\n", b"".join(lines))
    assert problem_in(answer)["code"] == "http.request_header_fields_too_large"
    assert seconds < SECONDS_MAX


async def test_a_body_that_does_not_come_is_not_waited_for(hasty: Settings, tenant: Tenant) -> None:
    head = (
        "POST /api/v1/invoices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {tenant.key}\r\nContent-Length: 100\r\n\r\n"
    )
    answer, seconds = await answer_to(hasty, head.encode() + b'{"lines":')
    assert problem_in(answer)["code"] == "http.request_timeout"
    assert seconds < SECONDS_MAX * 4


async def test_a_request_in_parts_has_time_for_each(hasty: Settings, tenant: Tenant) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b'{"lin', b'es":', b"[]", b"}"):
            yield part
            await asyncio.sleep(SECONDS_MAX * 0.6)

    headers = {"Content-Type": "application/json"}
    async with caller(hasty, tenant.key) as client:
        answer = await client.post("/api/v1/invoices", content=parts(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")


async def test_who_listens_is_not_hurried(hasty: Settings) -> None:
    url = f"ws://{hasty.asiento_host}:{hasty.port}/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(url, subprotocols=[protocol], proxy=None) as talk:
        await asyncio.sleep(SECONDS_MAX * 1.5)
        assert await asyncio.wait_for(await talk.ping(), 5) >= 0, "It answers."


async def test_others_are_answered_meanwhile(hasty: Settings, tenant: Tenant) -> None:
    slow = [asyncio.create_task(answer_to(hasty, b"GET / HT")) for _ in range(100)]
    async with caller(hasty, tenant.key) as client:
        for _ in range(20):
            assert (await client.get("/api/v1/invoices")).status_code == 200
    assert {problem_in(answer)["status"] for answer, _ in await asyncio.gather(*slow)} == {408}


def test_a_limit_of_the_settings_bounds_a_body(api: Settings, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(api, port=free_port(), request_bytes_max=2_000)
    with api_process(settings, tmp_path / "log"):
        answer = httpx.post(
            f"http://{settings.asiento_host}:{settings.port}/api/v1/login",
            json={"email": "a" * 3_000, "password": "b"},
            trust_env=False,
        )
    assert (answer.status_code, answer.json()["code"]) == (413, "http.request_entity_too_large")
