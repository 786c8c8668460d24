"""What an event changed is told field by field, as JSON, and nothing else."""

from decimal import Decimal

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import Struct

from application.history import FieldChange, changes, command_of


class Address(Struct):
    city: str
    street: str


class Thing(Struct):
    name: str
    price: Decimal = Decimal("1.50")
    parts: tuple[str, ...] = ()
    address: Address | None = None


def change(field: str, before: object, after: object) -> FieldChange:
    return FieldChange(field=field, before=before, after=after)


def test_a_new_row_tells_all_it_has() -> None:
    assert changes(None, Thing(name="bolt")) == (
        change("name", None, "bolt"),
        change("price", None, "1.50"),
        change("parts", None, []),
    )


def test_a_row_that_is_gone_tells_all_it_had() -> None:
    assert changes(Thing(name="bolt"), None)[0] == change("name", "bolt", None)


def test_only_what_changed_is_told() -> None:
    before, after = Thing(name="bolt"), Thing(name="bolt", price=Decimal("1.60"))
    assert changes(before, after) == (change("price", "1.50", "1.60"),)
    assert changes(before, before) == ()


def test_a_field_inside_another_is_told_by_its_path() -> None:
    before = Thing(name="bolt", address=Address(city="Quito", street="Sol"))
    after = Thing(name="bolt", address=Address(city="Loja", street="Sol"))
    assert changes(before, after) == (change("address.city", "Quito", "Loja"),)
    whole = {"city": "Loja", "street": "Sol"}
    assert changes(Thing(name="bolt"), after) == (change("address", None, whole),)


def test_a_command_is_told_from_a_job() -> None:
    assert command_of("command:IssueInvoice") == "IssueInvoice"
    assert command_of("01a201b0-cf19-7aac-819b-555d232464d8") is None
    assert command_of("") is None


things = st.builds(
    Thing,
    name=st.text(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    parts=st.lists(st.text(), max_size=3).map(tuple),
    address=st.none() | st.builds(Address, city=st.text(), street=st.text()),
)


@settings(max_examples=60)
@for_all(things, things)
def test_there_and_back_are_the_same_changes_reversed(before: Thing, after: Thing) -> None:
    forth = {(c.field, repr(c.before), repr(c.after)) for c in changes(before, after)}
    back = {(c.field, repr(c.after), repr(c.before)) for c in changes(after, before)}
    assert forth == back
