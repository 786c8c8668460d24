"""Receivers that fail: what they did not take is tried again, kept, and never lost."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.webhooks import turn
from adapters.webhooks.sending import EXCERPT_CHARACTERS, CheckedBackend, open_sender
from application.webhooks import Reach
from domain.kernel import Refused
from domain.webhooks import ResumeWebhook, RetryWebhook
from tests.webhooks.conftest import Office
from tests.webhooks.receiver import (
    Behaviour,
    Receiver,
    answers,
    drips,
    hangs,
    receiving,
    says,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
BIG = b"x" * 10_000_000


@pytest.mark.parametrize(
    ("behaviour", "status", "told"),
    [
        (answers(500, b"Sorry,\nno."), 500, "HTTP 500"),
        (answers(400), 400, "HTTP 400"),
        (answers(302, location="http://127.0.0.1/elsewhere"), 302, "HTTP 302"),
        (answers(500, BIG), 500, "HTTP 500"),
        (hangs, None, "No answer within 0.5 seconds"),
        (drips, None, "No answer within 0.5 seconds"),
        (says(b""), None, "connection failed"),
        (says(b"\x00\xffSSH-2.0\r\n\r\n"), None, "connection failed"),
        (says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000), None, "connection failed"),
    ],
    ids=["500", "400", "302", "big", "hangs", "drips", "hangs-up", "garbage", "long-header"],
)
async def test_what_was_not_taken_is_tried_again_before_what_follows(
    office: Office, receiver: Receiver, behaviour: Behaviour, status: int | None, told: str
) -> None:
    endpoint, _ = await office.register(receiver)
    first, second = await office.record("1"), await office.record("2")
    receiver.script = [behaviour]
    await office.push()
    failed = await office.delivery(endpoint)
    assert (failed.position < first, failed.failed_attempts) == (True, 1)
    assert (failed.last_status, failed.sent_at) == (status, None)
    assert told in (failed.last_error or "")
    await office.idle()
    assert receiver.positions == [first, first, second]
    assert receiver.heard[0].id == receiver.heard[1].id
    done = await office.delivery(endpoint)
    assert (done.failed_attempts, done.last_status, done.last_error) == (0, 204, None)


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(200, BIG),
        says(HEAD + b"content-length: 100\r\n\r\nhalf"),
        says(HEAD + b"transfer-encoding: chunked\r\n\r\nzz"),
    ],
    ids=["10-MB", "died-mid-way", "bad-chunk"],
)
async def test_the_status_counts_whatever_comes_after_it(
    office: Office, receiver: Receiver, behaviour: Behaviour
) -> None:
    await office.register(receiver)
    receiver.script = [behaviour]
    positions = [await office.record("1"), await office.record("2")]
    await office.idle()
    assert receiver.positions == positions


async def test_nobody_is_led_elsewhere_by_a_redirect(
    office: Office, receiver: Receiver, other: Receiver
) -> None:
    await office.register(receiver)
    receiver.script = [answers(307, location=other.url)]
    await office.record("1")
    await office.idle()
    assert len(receiver.heard) == 2
    assert other.heard == []


async def test_the_last_attempt_makes_a_dead_letter_and_the_rest_goes_on(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    first, second = await office.record("1"), await office.record("2")
    receiver.script = [answers(500, b"First\x00\n\t<b>no" + BIG)] * 3
    await office.idle()
    assert receiver.positions == [first, first, first, second]
    (letter,) = await office.letters(endpoint)
    assert (letter.position, letter.type, letter.attempts) == (first, "InvoiceRecorded", 3)
    assert (letter.status, letter.error) == (500, "It answered with HTTP 500.")
    assert letter.excerpt.startswith("First <b>noxxx")
    assert len(letter.excerpt) == EXCERPT_CHARACTERS
    assert (await office.delivery(endpoint)).dead_letters == 1


async def test_dead_letters_are_sent_once_more_when_it_is_asked_for(
    office: Office, receiver: Receiver
) -> None:
    endpoint, secret = await office.register(receiver)
    first = await office.record("1")
    receiver.script = [answers(500)] * 3
    await office.idle()
    receiver.script = [answers(503)]
    await office.execute(RetryWebhook(endpoint=endpoint))
    await office.idle()
    (letter,) = await office.letters(endpoint)
    assert (letter.attempts, letter.status) == (4, 503)
    await office.execute(RetryWebhook(endpoint=endpoint))
    await office.idle()
    assert await office.letters(endpoint) == []
    assert receiver.positions == [first] * 5
    assert len({each.id for each in receiver.heard}) == 1
    assert receiver.heard[-1].verified(secret)


async def test_after_so_many_dead_letters_in_a_row_the_endpoint_is_paused(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    for number in range(4):
        await office.record(str(number))
    receiver.always = answers(500)
    await office.idle()
    (paused,) = await office.events("WebhookPaused")
    assert (paused.actor, '"reason":"failing"' in paused.data) == ("system", True)
    assert receiver.positions == [2, 2, 2, 3, 3, 3]
    assert [each.position for each in await office.letters(endpoint)] == [2, 3]
    receiver.always = answers(200)
    await office.execute(ResumeWebhook(endpoint=endpoint))
    await office.idle()
    assert receiver.positions[6:] == [4, 5]


async def test_one_that_is_taken_between_begins_the_count_anew(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    for number in range(3):
        await office.record(str(number))
    fails = [answers(500)] * 3
    receiver.script = [*fails, answers(200), *fails]
    await office.idle()
    assert await office.events("WebhookPaused") == []
    assert [each.position for each in await office.letters(endpoint)] == [2, 4]


async def test_an_endpoint_that_says_it_is_gone_is_paused_at_once(
    office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await office.register(receiver)
    first = await office.record("1")
    receiver.script = [answers(410)]
    await office.idle()
    (paused,) = await office.events("WebhookPaused")
    assert '"reason":"gone"' in paused.data
    assert receiver.positions == [first]
    assert await office.letters(endpoint) == []
    await office.execute(ResumeWebhook(endpoint=endpoint))
    await office.idle()
    assert receiver.positions == [first, first]


async def test_a_receiver_may_ask_for_time(office: Office, receiver: Receiver) -> None:
    endpoint, _ = await office.register(receiver)
    await office.record("1")
    receiver.script = [answers(429, retry_after="3600")]
    await office.push()
    delivery = await office.delivery(endpoint)
    waits = delivery.next_attempt_at - office.runtime.clock.now()
    assert 3_500 < waits.total_seconds() <= 3_600
    await office.push()
    assert len(receiver.heard) == 1


async def test_a_turn_ends_and_the_rest_is_sent_in_the_next(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.register(receiver)
    for number in range(5):
        await office.record(str(number))
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.0)
    await office.push()
    assert receiver.heard == []
    monkeypatch.setattr(turn, "TURN_SECONDS", 5.0)
    await office.idle()
    assert receiver.positions == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0x7f.1", "2130706433", "127.1"])
async def test_a_name_that_leads_inside_is_not_connected_to(receiver: Receiver, host: str) -> None:
    async with open_sender(Reach(http=True), 5.0) as sender:
        answer = await sender.post(f"http://{host}:{receiver.port}/", [], b"{}")
    assert answer.status is None
    assert "not public" in (answer.error or "")
    assert receiver.heard == []


async def test_one_address_inside_spoils_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_given: object, **_named: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (host, 443)) for host in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with pytest.raises(Refused):
        await CheckedBackend(Reach()).connect_tcp("rebind.example", 443)


async def test_http_is_not_spoken_where_it_is_not_allowed(receiver: Receiver) -> None:
    async with open_sender(Reach(private=True), 5.0) as sender:
        answer = await sender.post(receiver.url, [], b"{}")
    assert "http://" in (answer.error or "")
    assert receiver.heard == []


async def test_a_certificate_that_nobody_vouches_for_is_a_failed_attempt(tmp_path: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(self_signed(tmp_path / "certificate.pem"))
    reach = Reach(private=True)
    async with receiving(server) as receiver, open_sender(reach, 5.0) as sender:
        answer = await sender.post(f"https://localhost:{receiver.port}/", [], b"{}")
        assert "certificate" in (answer.error or "").lower()
        assert receiver.heard == []


def self_signed(path: Path) -> Path:
    """Write a key, and a certificate for localhost that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    kind = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key.private_bytes(*kind) + certificate.public_bytes(Encoding.PEM))
    return path


async def test_a_host_that_is_not_there_is_a_failed_attempt() -> None:
    async with open_sender(Reach(http=True, private=True), 5.0) as sender:
        unknown = await sender.post("http://nobody.invalid/", [], b"{}")
        closed = await sender.post("http://127.0.0.1:9/", [], b"{}")
    assert "can't be found" in (unknown.error or "")
    assert "connection failed" in (closed.error or "")
