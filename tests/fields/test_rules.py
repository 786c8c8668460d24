"""The rules of fields: what is added stays of its type, and what is decided can hold."""

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.fields import (
    ADDED_MAX,
    TEXT_MAX,
    AddCustomField,
    Added,
    ConfigureField,
    CustomFieldAdded,
    CustomFieldChanged,
    EntityName,
    FieldConfigured,
    Fields,
    FieldType,
    checked,
)
from domain.kernel import Refused
from tests.kernel import given, history_of

INVOICE = EntityName("invoicing.invoice")
ADD = AddCustomField(entity=INVOICE, field="table", type="choice", choices=("1", "2"))
added = CustomFieldAdded(entity=INVOICE, field="table", type="choice", label="", choices=("1", "2"))
RULE = ConfigureField(entity=INVOICE, field="custom.table", required=True)
THERE: dict[str, FieldType | None] = {"customer": None, "customer.tax_id": "text"}


def test_a_field_is_added_once() -> None:
    given().when(ADD).then(added)
    given(added).when(ADD).then_nothing()


def test_a_field_may_be_called_otherwise_and_take_more_choices() -> None:
    more = replace(ADD, label="Mesa", choices=("1", "2", "3"))
    given(added).when(more).then(
        CustomFieldChanged(entity=INVOICE, field="table", label="Mesa", choices=("1", "2", "3"))
    )


def test_the_type_of_a_field_never_changes() -> None:
    text = replace(ADD, type="text", choices=())
    given(added).when(text).then_refused("fields.type_is_fixed")


@pytest.mark.parametrize("command", [replace(ADD, choices=()), replace(ADD, type="text")])
def test_choices_belong_to_a_field_of_choices(command: AddCustomField) -> None:
    given().when(command).then_refused("fields.choices")


@pytest.mark.parametrize(
    ("field", "label"),
    [("mesa", ""), ("place", "MESA"), ("place", "table")],
    ids=["its name is a label", "its label is a label", "its label is a name"],
)
def test_no_two_fields_are_known_by_the_same(field: str, label: str) -> None:
    mesa = replace(added, label="Mesa")
    given(mesa).when(replace(ADD, field=field, label=label)).then_refused("fields.label_taken")
    given(mesa).when(replace(ADD, label="Table")).then(
        CustomFieldChanged(entity=INVOICE, field="table", label="Table", choices=("1", "2"))
    )


def test_a_document_has_so_many_fields_and_no_more() -> None:
    text = replace(ADD, type="text", choices=())
    history = history_of([replace(text, field=f"f{n}") for n in range(ADDED_MAX)])
    assert len(history) == ADDED_MAX
    given(*history).when(text).then_refused("fields.too_many")


def test_what_holds_for_a_field_is_said_once() -> None:
    required = FieldConfigured(entity=INVOICE, field="custom.table", hidden=False, required=True)
    given(added).when(RULE).then(required)
    given(added, required).when(RULE).then_nothing()
    given(added, required).when(replace(RULE, required=False)).then(
        FieldConfigured(entity=INVOICE, field="custom.table", hidden=False, required=False)
    )


def test_nothing_holds_for_a_field_that_is_not_there() -> None:
    given().when(RULE).then_refused("fields.absent")
    given().when(replace(RULE, field="lines")).then_refused("fields.absent")


def test_a_field_that_is_not_taken_is_not_asked_for() -> None:
    both = replace(RULE, hidden=True)
    given(added).when(both).then_refused("fields.hidden_and_required")


def test_a_default_is_of_the_type_of_its_field() -> None:
    given(added).when(replace(RULE, default="9")).then_refused("fields.bad_value")
    there = ConfigureField(entity=INVOICE, field="customer.tax_id", default="X", there=THERE)
    given().when(there).then(
        FieldConfigured(
            entity=INVOICE, field="customer.tax_id", hidden=False, required=False, default="X"
        )
    )


def test_a_field_of_several_parts_has_no_default() -> None:
    there = ConfigureField(entity=INVOICE, field="customer", default="X", there=THERE)
    given().when(there).then_refused("fields.no_default")


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("text", "Terraza", "Terraza"),
        ("number", "12.50", "12.50"),
        ("number", 12, "12"),
        ("number", 0.1, "0.1"),
        ("number", "1E+2", "100"),
        ("date", "2026-02-28", "2026-02-28"),
        ("boolean", True, True),
        ("boolean", "false", False),
        ("choice", "1", "1"),
    ],
)
def test_a_value_is_written_in_the_one_form_of_its_type(
    kind: FieldType, value: object, kept: object
) -> None:
    assert checked("custom.f", Added(type=kind, choices=("1",)), value) == kept


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", ""),
        ("text", 1),
        ("text", "x" * (TEXT_MAX + 1)),
        ("number", "many"),
        ("number", "NaN"),
        ("number", "1e99"),
        ("number", True),
        ("number", ["1"]),
        ("date", "2026-02-30"),
        ("date", 20260101),
        ("boolean", "maybe"),
        ("boolean", 1),
        ("choice", "3"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: FieldType, value: object) -> None:
    with pytest.raises(Refused, match="takes") as refused:
        checked("custom.f", Added(type=kind, choices=("1",) if kind == "choice" else ()), value)
    assert refused.value.code == "fields.bad_value"


kinds = st.sampled_from(["text", "number", "date", "boolean"])
adds = st.one_of(
    [
        st.builds(
            AddCustomField,
            entity=st.just(INVOICE),
            field=st.just(name),
            type=kinds,
            label=st.sampled_from(["", name.upper()]),
        )
        for name in ("a", "b")
    ]
)


@settings(max_examples=50)
@for_all(st.lists(adds, max_size=10))
def test_the_first_type_of_a_field_is_its_last(sequence: list[AddCustomField]) -> None:
    first: dict[str, str] = {}
    for command in sequence:
        first.setdefault(command.field, command.type)
    found = Fields.own().fold(history_of(sequence)).of(INVOICE).added
    assert {name: each.type for name, each in found.items()} == first
