"""Subscriptions, heard by a client that someone else wrote: nothing lost, nothing told twice."""

import asyncio
from typing import Any

import pytest
from gql import gql
from gql.transport.exceptions import TransportError, TransportQueryError
from websockets.exceptions import ConnectionClosed

from adapters.runtime import Runtime
from application.codec import encode
from application.kernel import Context, build, new_id
from application.ports import Append
from domain.ids import JobId, TenantId
from domain.jobs import FinishJob, JobQueued, ReportProgress, StartJob
from domain.kernel import Command
from tests.graphql.client import Client
from tests.rest.api import make_tenant

PROGRESS = """
subscription Progress($job: ID!, $after: String) {
  jobProgress(job: $job, after: $after) { cursor status done total message }
}
"""
EVENTS = """
subscription Events($after: Position, $types: [String!]) {
  events(after: $after, types: $types) { position type recordedAt actor data }
}
"""


def document(text: str, **variables: object) -> Any:  # noqa: ANN401 - gql's own type moves about.
    asked = gql(text)
    asked.variable_values = variables
    return asked


async def queue(runtime: Runtime, tenant: TenantId) -> JobId:
    job = JobId(new_id(runtime.clock.now()))
    queued = JobQueued(job=job, kind="tests.work", subject="s")
    event = encode(queued, actor="system", correlation_id="test", causation_id="")
    await runtime.store.append(tenant, Append(events=(event,)))
    return job


async def report(
    runtime: Runtime, tenant: TenantId, command: type[Command], **given: object
) -> None:
    context = Context(
        tenant=tenant, actor="job:x", permissions=frozenset("*"), correlation_id="test"
    )
    await runtime.bus.execute(build(command, given, runtime.clock), context)


async def work(runtime: Runtime, tenant: TenantId, job: JobId) -> None:
    await report(runtime, tenant, StartJob, job=job)
    for done in (10, 20, 30):
        await runtime.hub.tick(tenant, job, done=done - 5, total=30, message="between")
        await asyncio.sleep(0.1)
        await report(runtime, tenant, ReportProgress, job=job, done=done, total=30)
    await report(runtime, tenant, FinishJob, job=job, done=30, message="All in.")


async def told(client: Client, text: str, count: int | None = None, **asked: object) -> list[Any]:
    """Listen until it ends, or until *count* were told."""
    heard: list[Any] = []
    async with asyncio.timeout(15), client.socket() as session:
        async for answer in session.subscribe(document(text, **asked)):
            heard += answer.values()
            if len(heard) == count:
                break
    return heard


@pytest.mark.parametrize("in_handshake", [False, True])
async def test_a_job_is_followed_to_its_end(
    runtime: Runtime, client: Client, *, in_handshake: bool
) -> None:
    job = await queue(runtime, client.tenant.id)
    heard: list[Any] = []
    async with asyncio.timeout(15), client.socket(in_handshake=in_handshake) as session:
        working = None
        async for answer in session.subscribe(document(PROGRESS, job=job)):
            heard.append(answer["jobProgress"])
            working = working or asyncio.create_task(work(runtime, client.tenant.id, job))
    assert working is not None
    await working
    milestones = {each["cursor"]: each for each in heard if each["message"] != "between"}
    assert [each["status"] for each in milestones.values()] == [
        "queued",
        *["running"] * 4,
        "succeeded",
    ]
    assert len(milestones) == len([each for each in heard if each["message"] != "between"])
    assert any(each["message"] == "between" for each in heard)
    assert heard[-1] == {
        "cursor": heard[-1]["cursor"],
        "status": "succeeded",
        "done": 30,
        "total": 30,
        "message": "All in.",
    }


async def test_a_follower_that_comes_back_misses_nothing(runtime: Runtime, client: Client) -> None:
    job = await queue(runtime, client.tenant.id)
    await work(runtime, client.tenant.id, job)
    all_of_it = await told(client, PROGRESS, job=job)
    assert [each["status"] for each in all_of_it][::5] == ["queued", "succeeded"]
    assert await told(client, PROGRESS, job=job, after=all_of_it[2]["cursor"]) == all_of_it[3:]
    assert await told(client, PROGRESS, job=job, after=all_of_it[-1]["cursor"]) == []


async def test_a_job_may_appear_a_little_later(runtime: Runtime, client: Client) -> None:
    job = JobId(new_id(runtime.clock.now()))
    listening = asyncio.create_task(told(client, PROGRESS, 1, job=job))
    await asyncio.sleep(0.3)
    queued = JobQueued(job=job, kind="tests.work", subject="s")
    event = encode(queued, actor="system", correlation_id="test", causation_id="")
    await runtime.store.append(client.tenant.id, Append(events=(event,)))
    assert (await listening)[0]["status"] == "queued"


async def test_an_unknown_job_is_not_found(runtime: Runtime, client: Client, other: Client) -> None:
    job = await queue(runtime, other.tenant.id)
    with pytest.raises(TransportQueryError) as error:
        await told(client, PROGRESS, job=job)
    assert error.value.errors is not None
    assert error.value.errors[0]["extensions"]["code"] == "jobs.absent"


async def test_the_log_is_told_in_order_without_a_gap(client: Client) -> None:
    for number in range(5):
        await client.record(f"E-{number}")
    listening = asyncio.create_task(told(client, EVENTS, 8, after="2"))
    for number in range(5, 10):
        await client.record(f"E-{number}")
    heard = await listening
    assert [each["position"] for each in heard] == [str(place) for place in range(3, 11)]
    assert [each["data"]["number"] for each in heard] == [f"E-{place}" for place in range(2, 10)]
    assert heard[0]["actor"] == f"key:{client.tenant.key_id}"


async def test_the_log_may_be_asked_for_some_types_only(client: Client) -> None:
    await client.draft()
    await client.record("T-1")
    (heard,) = await told(client, EVENTS, 1, types=["InvoiceRecorded"])
    assert heard["position"] == "2"
    with pytest.raises(TransportQueryError, match="no events called Nothing"):
        await told(client, EVENTS, types=["Nothing"])


async def test_the_log_is_for_those_who_may_read_it(runtime: Runtime, url: str) -> None:
    tenant = await make_tenant(runtime, ("jobs.job.read",))
    async with Client(url, tenant) as client:
        with pytest.raises(TransportQueryError) as error:
            await told(client, EVENTS)
    assert error.value.errors is not None
    assert error.value.errors[0]["extensions"]["code"] == "access.forbidden"


async def test_a_socket_without_a_credential_is_closed(client: Client) -> None:
    client.headers = {}
    with pytest.raises((TransportError, ConnectionClosed)) as error:
        await told(client, EVENTS)
    assert "4403" in f"{error.value!r} {error.value.__cause__!r}"


async def test_queries_and_mutations_go_over_a_socket_too(client: Client) -> None:
    async with client.socket() as session:
        answer = await session.execute(gql("{ tenant { slug } }"))
    assert answer["tenant"]["slug"] == client.tenant.slug


async def test_a_document_past_the_limits_is_refused_on_a_socket(client: Client) -> None:
    many = " ".join(f"a{n}: __typename" for n in range(101))
    async with client.socket() as session:
        with pytest.raises(TransportQueryError) as error:
            await session.execute(gql(f"{{ {many} }}"))
    assert error.value.errors is not None
    assert error.value.errors[0]["extensions"]["code"] == "graphql.too_many_aliases"
