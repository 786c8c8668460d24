"""What happens is sent outside: at least once, in order, signed, and to whom it is for."""

import asyncio
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from standardwebhooks import WebhookVerificationError

from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.webhooks.delivering import Deliverer
from application.kernel import build
from application.ports import Append, NewEvent
from domain.privacy import ForgetSubject
from domain.webhooks import (
    ChangeWebhook,
    PauseWebhook,
    RemoveWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
    SendWebhookTest,
)
from tests.webhooks.conftest import Office
from tests.webhooks.receiver import Receiver, hangs


async def test_what_happens_is_posted_in_order_and_signed(
    office: Office, receiver: Receiver
) -> None:
    before = await office.record("0")
    _, secret = await office.register(receiver)
    assert len(b64decode(secret.removeprefix("whsec_"))) == 32
    positions = [await office.record(str(number)) for number in range(1, 50)]
    assert positions[0] == before + 2
    await office.idle()
    assert receiver.positions == positions
    assert len({each.id for each in receiver.heard}) == 49
    first = receiver.heard[0]
    assert first.target == "/hooks?of=asiento"
    assert first.headers["content-type"] == "application/json"
    body = first.verified(secret)
    assert body == {
        "type": "InvoiceRecorded",
        "timestamp": body["data"]["recorded_at"],
        "data": {
            "position": positions[0],
            "type": "InvoiceRecorded",
            "recorded_at": body["timestamp"],
            "actor": "user:ana",
            "data": body["data"]["data"],
        },
    }
    assert body["data"]["data"]["number"] == "1"
    assert datetime.now(UTC) - datetime.fromisoformat(body["timestamp"]) < timedelta(minutes=1)
    with pytest.raises(WebhookVerificationError):
        first.verified("whsec_" + "A" * 44)


async def test_an_endpoint_is_sent_the_types_it_asked_for(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver, types=("JobQueued",))
    await office.record("1")
    await office.idle()
    assert receiver.heard == []
    assert (await office.delivery(endpoint)).position == 2
    await office.execute(ChangeWebhook(endpoint=endpoint, types=("InvoiceRecorded",)))
    await office.record("2")
    await office.idle()
    assert receiver.positions == [4]


async def test_nobody_is_sent_what_others_do_or_where_endpoints_are(
    office: Office, runtime: Runtime, receiver: Receiver, other: Receiver
) -> None:
    await office.register(receiver)
    await office.register(other)
    stranger = Office(runtime, office.deliverer._sender)
    await stranger.record("1")
    await office.idle()
    assert receiver.heard == other.heard == []


async def test_what_is_personal_is_open_until_it_is_forgotten(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    await office.record("1")
    await office.idle()
    assert receiver.heard[0].json["data"]["data"]["customer_name"] == "Ana Núñez"
    forget = ForgetSubject(kind="customer_code", value="C7", reason="Asked for it.")
    await office.execute(forget)
    await office.execute(ReplayWebhook(endpoint=endpoint, after=1))
    await office.idle()
    again = receiver.heard[1]
    assert (again.id, again.position) == (receiver.heard[0].id, 2)
    assert again.json["data"]["data"]["customer_name"] == "[forgotten]"


async def test_a_new_secret_signs_along_with_the_former_one(
    office: Office, receiver: Receiver
) -> None:
    endpoint, former = await office.register(receiver)
    rotate = build(RotateWebhookSecret, {"endpoint": endpoint}, office.runtime.clock)
    _, current = await office.shown(rotate)
    assert current != former
    await office.record("1")
    await office.idle()
    (heard,) = receiver.heard
    assert heard.verified(current) == heard.verified(former)
    at_once = {"endpoint": endpoint, "former_hours": 0}
    await office.execute(build(RotateWebhookSecret, at_once, office.runtime.clock))
    await office.record("2")
    await office.idle()
    with pytest.raises(WebhookVerificationError):
        receiver.heard[1].verified(current)
    assert receiver.heard[1].verified(former)  # Its day is not over.


async def test_a_paused_endpoint_is_sent_what_it_missed_when_it_resumes(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    await office.execute(PauseWebhook(endpoint=endpoint))
    missed = await office.record("1")
    await office.idle()
    assert receiver.heard == []
    await office.execute(ResumeWebhook(endpoint=endpoint))
    later = await office.record("2")
    await office.idle()
    assert receiver.positions == [missed, later]


async def test_a_test_goes_to_its_endpoint_alone_whatever_its_types(
    office: Office, receiver: Receiver, other: Receiver
) -> None:
    endpoint, secret = await office.register(receiver, types=("JobQueued",))
    await office.register(other)
    await office.execute(SendWebhookTest(endpoint=endpoint))
    await office.idle()
    assert other.heard == []
    (heard,) = receiver.heard
    assert heard.verified(secret)["type"] == "WebhookTestRequested"


async def test_a_replay_sends_again_under_the_same_ids_and_passes_nothing_over(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    for number in range(5):
        await office.record(str(number))
    await office.idle()
    first = {each.position: each.id for each in receiver.heard}
    await office.execute(ReplayWebhook(endpoint=endpoint, after=3))
    await office.idle()
    assert receiver.positions == [2, 3, 4, 5, 6, 4, 5, 6]
    assert all(each.id == first[each.position] for each in receiver.heard)
    await office.execute(PauseWebhook(endpoint=endpoint))
    missed = await office.record("9")
    await office.execute(ReplayWebhook(endpoint=endpoint, after=missed))
    await office.execute(ResumeWebhook(endpoint=endpoint))
    await office.idle()
    assert receiver.positions[8:] == [missed]


async def test_a_slow_endpoint_holds_no_other_up_and_no_connection(
    office: Office, receiver: Receiver, other: Receiver
) -> None:
    receiver.always = hangs
    for _ in range(15):
        await office.register(receiver)
    await office.register(other)
    await office.record("1")
    await office.follow()
    await office.deliverer.look([office.tenant])
    await other.hears(1)
    await receiver.hears(15)
    stats = office.runtime.pool.get_stats()
    assert stats["pool_size"] - stats["pool_available"] <= 1
    assert other.positions == [17]


async def test_several_processes_share_the_endpoints_and_send_nothing_twice(
    office: Office, receiver: Receiver
) -> None:
    for _ in range(5):
        await office.register(receiver)
    for number in range(20):
        await office.record(str(number))
    await office.follow()
    crew = [Deliverer(office.runtime, office.deliverer._sender) for _ in range(4)]
    async with asyncio.timeout(20):
        while len(receiver.heard) < 100:
            await asyncio.gather(*(each.look([office.tenant]) for each in crew))
            await asyncio.gather(*(each.settle() for each in crew))
    await office.idle()
    assert len({each.id for each in receiver.heard}) == len(receiver.heard) == 100


async def test_a_running_process_sends_soon_after_it_happened(
    office: Office, receiver: Receiver
) -> None:
    await office.register(receiver)
    await office.follow()
    running = asyncio.create_task(office.deliverer.run())
    for number in range(3):
        await office.record(str(number))
        await receiver.hears(number + 1)
    running.cancel()
    await asyncio.wait([running])
    assert receiver.positions == [2, 3, 4]


async def test_a_removed_endpoint_is_sent_nothing_and_leaves_no_secret(
    office: Office, receiver: Receiver, settings: Settings
) -> None:
    endpoint, _ = await office.register(receiver)
    await office.idle()
    await office.execute(RemoveWebhook(endpoint=endpoint))
    await office.record("1")
    await office.idle()
    assert receiver.heard == []
    assert await office.all() == []
    with psycopg.connect(settings.database_admin_url or "") as connection:
        found = connection.execute(
            "SELECT wrapped FROM subject_key WHERE tenant_id = %s", (office.tenant,)
        ).fetchall()
    assert (None,) in found


async def test_a_secret_stands_nowhere_in_clear(
    office: Office, receiver: Receiver, settings: Settings
) -> None:
    _, secret = await office.register(receiver)
    await office.idle()
    raw = b64decode(secret.removeprefix("whsec_"))
    with psycopg.connect(settings.database_admin_url or "") as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"SELECT t::text FROM {table} AS t".encode()).fetchall()
            text = "".join(row for (row,) in rows)
            assert secret not in text
            assert secret.removeprefix("whsec_") not in text
            assert raw.hex() not in text


async def test_an_event_of_a_newer_version_waits_for_it(office: Office, receiver: Receiver) -> None:
    endpoint, _ = await office.register(receiver)
    first = await office.record("1")
    unknown = NewEvent(
        type="InvoiceSentToTheMoon",
        tags=(),
        data="{}",
        actor="system",
        correlation_id="c",
        causation_id="",
    )
    await office.runtime.store.append(office.tenant, Append(events=(unknown,)))
    await office.record("2")
    for _ in range(3):
        await office.push()
    assert receiver.positions == [first]
    delivery = await office.delivery(endpoint)
    assert delivery.position == first
    assert "newer version" in (delivery.last_error or "")
    assert delivery.failed_attempts == 0
