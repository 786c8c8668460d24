"""Server-sent events: they end, they are resumed by the id of the last, and they are taken back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from adapters.graphql.subscriptions.audience import audience_of
from adapters.runtime import Runtime
from domain.access import RevokeApiKey
from domain.jobs import FinishJob
from tests.graphql.client import Client
from tests.graphql.test_sockets import execute_for_the_system
from tests.graphql.test_subscriptions import EVENTS, PROGRESS, queue, report

SSE = {"accept": "text/event-stream"}


async def read(client: Client, query: str, *, last: str = "", **variables: object) -> str:
    """Return all that is told until the stream ends."""
    headers = SSE | ({"last-event-id": last} if last else {})
    asked = {"query": query, "variables": variables}
    async with client.http.stream("POST", client.url, json=asked, headers=headers) as answer:
        return (await answer.aread()).decode()


@asynccontextmanager
async def following(client: Client, **variables: object) -> AsyncIterator[AsyncIterator[str]]:
    """Follow the log; a line at a time is told."""
    asked = {"query": EVENTS, "variables": variables}
    async with (
        asyncio.timeout(10),
        client.http.stream("POST", client.url, json=asked, headers=SSE) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.aiter_lines()


async def test_a_job_is_told_until_it_ends(runtime: Runtime, client: Client) -> None:
    job = await queue(runtime, client.tenant.id)
    await report(runtime, client.tenant.id, FinishJob, job=job, done=3)
    text = await read(client, PROGRESS, job=job)
    frames = [frame.split("\n") for frame in text.strip().split("\n\n")]
    assert [lines[0] for lines in frames] == ["event: next", "event: next", "event: complete"]
    assert [lines[1] for lines in frames] == ["id: 1", "id: 2", "data:"]
    assert '"status":"succeeded"' in text


async def test_who_comes_back_with_the_last_id_goes_on_behind_it(
    runtime: Runtime, client: Client
) -> None:
    job = await queue(runtime, client.tenant.id)
    await report(runtime, client.tenant.id, FinishJob, job=job, done=3)
    text = await read(client, PROGRESS, last="1", job=job, after="0")
    assert text.count("event: next") == 1
    assert "id: 2\n" in text


async def test_a_page_follows_by_an_event_source(runtime: Runtime, client: Client) -> None:
    job = await queue(runtime, client.tenant.id)
    await report(runtime, client.tenant.id, FinishJob, job=job, done=3)
    asked = {"query": PROGRESS, "variables": json.dumps({"job": job})}
    answer = await client.http.get(client.url, params=asked, headers=SSE)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: next") == 2


async def test_nothing_is_changed_by_following(client: Client) -> None:
    asked = {"query": 'mutation { revokeApiKey(input: {key: "x"}) { position } }'}
    text = (await client.http.get(client.url, params=asked, headers=SSE)).text
    assert '"errors"' in text
    assert '"data":{' not in text


async def test_an_id_that_is_no_cursor_is_refused(client: Client) -> None:
    answer = await client.http.post(
        client.url, json={"query": EVENTS}, headers=SSE | {"last-event-id": "x"}
    )
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["errors"][0]["extensions"]["code"] == "subscriptions.bad_cursor"


async def test_what_can_not_be_run_is_told_and_the_stream_ends(client: Client) -> None:
    text = await read(client, "subscription { nothing }")
    assert '"code":"graphql.invalid"' in text
    assert text.endswith("event: complete\ndata:\n\n")


async def test_a_query_is_answered_once(client: Client) -> None:
    text = await read(client, "{ tenant { slug } }")
    assert client.tenant.slug in text
    assert text.count("event: next") == text.count("event: complete") == 1


async def test_a_revoked_key_ends_its_streams_within_a_second(
    runtime: Runtime, client: Client
) -> None:
    await client.record("S-1")
    async with following(client) as lines:
        assert await anext(lines) == "event: next"
        await execute_for_the_system(runtime, RevokeApiKey, key=client.tenant.key_id)
        revoked_at = asyncio.get_running_loop().time()
        assert "event: complete" not in [line async for line in lines]
    assert asyncio.get_running_loop().time() - revoked_at < 1.5


async def test_a_process_that_ends_says_when_to_come_back(runtime: Runtime, client: Client) -> None:
    await client.record("S-1")
    async with following(client) as lines:
        assert await anext(lines) == "event: next"
        audience_of(runtime).send_away()
        rest = [line async for line in lines]
    assert rest[-2:] == ["retry: 1000", ""]
    assert "event: complete" not in rest
