"""What a caller sends becomes a command, filled in and checked, or says what is wrong with it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import RFC_4122, UUID

import pytest
from msgspec import UNSET

from adapters.memory import FixedClock
from application.errors import Forbidden, Malformed
from application.kernel import (
    EVERYTHING,
    Context,
    authorise,
    build,
    exposed_commands,
    made_ids,
    new_id,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import DraftInvoice, InvoiceId, IssueInvoice, SeriesCode
from domain.kernel import Command
from domain.tenants import CreateTenant
from tests.invoicing.examples import LINES, MAY_2, ONE, A

NOW = datetime(2026, 5, 2, 9, 30, tzinfo=UTC)
CLOCK = FixedClock(NOW)
LINE = {"description": "Bolt", "quantity": "3", "unit_price": "1.50", "tax_rate": 21, "item": "B-1"}


def context(*permissions: str) -> Context:
    return Context(
        tenant=TenantId("t1"),
        actor="user:ana",
        permissions=frozenset(permissions),
        correlation_id="r1",
    )


def test_what_is_sent_becomes_a_command() -> None:
    command = build(DraftInvoice, {"invoice": "one", "lines": [LINE]}, CLOCK)
    assert command == DraftInvoice(invoice=ONE, lines=LINES)


@pytest.mark.parametrize("left_out", [{}, {"invoice": None}, {"invoice": UNSET}])
def test_an_id_that_is_left_out_is_made(left_out: dict[str, object]) -> None:
    command = build(DraftInvoice, {"lines": [LINE], **left_out}, CLOCK)
    assert isinstance(command, DraftInvoice)
    assert UUID(command.invoice).version == 7
    assert made_ids(command) == {"invoice": command.invoice}


def test_a_day_that_is_left_out_is_today() -> None:
    assert build(IssueInvoice, {"invoice": "one", "series": "A"}, CLOCK) == IssueInvoice(
        invoice=ONE, series=A, issued_on=MAY_2
    )


def test_a_day_is_no_id() -> None:
    issue = IssueInvoice(invoice=InvoiceId("x"), series=SeriesCode("A"), issued_on=date.max)
    assert made_ids(issue) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "lines"),
        ({"lines": []}, "length >= 1"),
        ({"lines": [LINE], "colour": "red"}, "colour"),
        ({"lines": [LINE], "currency": "euro"}, "currency"),
        ({"lines": [LINE | {"quantity": "many"}]}, "quantity"),
        ({"lines": [LINE | {"quantity": "NaN"}]}, "Line 1"),
        ({"lines": [LINE | {"tax_rate": "101"}]}, "Line 1"),
        ({"lines": [LINE], "invoice": "a b"}, "invoice"),
    ],
)
def test_what_cannot_be_understood_is_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(Malformed) as malformed:
        build(DraftInvoice, given, CLOCK)
    assert malformed.value.code == "input.invalid"
    assert malformed.value.message.startswith("DraftInvoice: ")
    assert said in malformed.value.message
    assert not malformed.value.message.endswith("..")


def test_ids_sort_by_the_time_they_are_made() -> None:
    clock = FixedClock(NOW)
    made = []
    for _ in range(20):
        made.append(new_id(clock.now()))
        clock.advance(timedelta(milliseconds=1))
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(UUID(each).version, UUID(each).variant) for each in made} == {(7, RFC_4122)}


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id(NOW) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("permission", ["invoicing.invoice.draft", EVERYTHING])
def test_who_has_the_permission_may(permission: str) -> None:
    command = DraftInvoice(invoice=ONE, lines=LINES)
    assert authorise(command, context(permission)) == "t1"


def test_who_lacks_the_permission_may_not() -> None:
    with pytest.raises(Forbidden, match=r"needs the permission invoicing\.invoice\.draft") as no:
        authorise(DraftInvoice(invoice=ONE, lines=LINES), context("invoicing.invoice.issue"))
    assert no.value.code == "access.forbidden"


def test_what_belongs_to_no_tenant_goes_to_the_log_of_the_system() -> None:
    create = build(CreateTenant, {"slug": "acme", "name": "Acme", "country": "ES"}, CLOCK)
    assert authorise(create, context(EVERYTHING)) == SYSTEM_TENANT


def test_every_command_is_exposed_once_with_its_permission() -> None:
    exposed = exposed_commands()
    assert all(entry.permission.count(".") == 2 for entry in exposed.values())
    routes = [entry.route for entry in exposed.values() if entry.route]
    assert len(routes) == len(set(routes))
    missing = {c for c in _leaves(Command) if c.__module__.startswith("domain.")} - exposed.keys()
    assert missing == set()


def _leaves(command: type[Command]) -> set[type[Command]]:
    below = command.__subclasses__()
    return {leaf for each in below for leaf in _leaves(each)} if below else {command}


def test_amounts_are_read_exactly() -> None:
    command = build(DraftInvoice, {"lines": [LINE | {"quantity": "0.1"}]}, CLOCK)
    assert isinstance(command, DraftInvoice)
    assert command.lines[0].amount == Decimal("0.150")
