"""How far webhooks reach: to the public internet, by TLS, and nowhere inside."""

from datetime import timedelta
from ipaddress import ip_address

import pytest

from application.errors import Malformed
from application.webhooks import Reach, is_public, pause_before
from domain.ids import JobId
from domain.jobs import CancelJob
from domain.kernel import Refused
from domain.webhooks import ChangeWebhook, EndpointId, RegisterWebhook, SecretId

HOOK = EndpointId("e1")
INSIDE = [
    "0.0.0.0",  # noqa: S104 - an address to be refused.
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1"]


def register(url: str, types: tuple[str, ...] = ()) -> RegisterWebhook:
    return RegisterWebhook(endpoint=HOOK, secret_id=SecretId("s"), url=url, types=types)


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(Refused) as refused:
        Reach().check_address(ip_address(address))
    assert refused.value.code == "webhooks.private_address"


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "webhooks.no_tls"),
        ("https://127.0.0.1/", "webhooks.private_address"),
        ("https://[::1]:8443/", "webhooks.private_address"),
        ("https://169.254.169.254/latest/meta-data", "webhooks.private_address"),
        ("https://me@example.com/", "webhooks.bad_url"),
    ],
)
def test_an_endpoint_that_could_never_be_reached_is_not_registered(url: str, code: str) -> None:
    for command in (register(url), ChangeWebhook(endpoint=HOOK, url=url)):
        with pytest.raises(Refused) as refused:
            Reach().admit(command)
        assert refused.value.code == code


def test_for_development_all_of_it_may_be_let_through() -> None:
    reach = Reach(http=True, private=True)
    reach.admit(register("http://127.0.0.1:8080/hooks"))
    assert reach.http


def test_types_are_those_of_events_that_are_sent() -> None:
    Reach().admit(register("https://example.com/", ("InvoiceIssued",)))
    for unknown in ("InvoiceIsued", "WebhookRegistered"):
        with pytest.raises(Malformed, match=unknown):
            Reach().admit(register("https://example.com/", (unknown,)))


def test_other_commands_pass() -> None:
    reach = Reach()
    reach.admit(CancelJob(job=JobId("j")))
    assert reach == Reach()


def test_pauses_grow_and_end() -> None:
    schedule = (5.0, 300.0)
    assert pause_before(schedule, 1, 0.0) == timedelta(seconds=5)
    assert pause_before(schedule, 2, 1.0) == timedelta(seconds=360)
    assert pause_before(schedule, 3, 0.0) is None


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert pause_before((5.0,), 1, 0.0, 60) == timedelta(seconds=60)
    assert pause_before((5.0,), 1, 0.0, 1e9) == timedelta(days=1)
    assert pause_before((5.0,), 1, 0.0, -7) == timedelta(seconds=5)
