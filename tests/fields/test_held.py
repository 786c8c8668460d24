"""Documents are held to what their company decided about fields, before their own rule decides."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from application.bus import Bus
from application.errors import NotFound
from application.fields import custom_schema, entities, listed_fields
from domain.fields import AddCustomField, ConfigureField, EntityName, Fields
from domain.invoicing import Customer, CustomerCode, InvoiceDrafted, InvoiceIssued, RecordInvoice
from domain.kernel import Command, Refused
from tests.application.desk import TENANT, Store, context, draft, issue
from tests.invoicing.examples import LINES, MAY_2

INVOICE = EntityName("invoicing.invoice")
ANA = Customer(code=CustomerCode("C7"), name="Ana")
TABLE = AddCustomField(entity=INVOICE, field="table", type="choice", choices=("1", "2"))
GUESTS = AddCustomField(entity=INVOICE, field="guests", type="number", label="Comensales")


async def decide_on(bus: Bus, *commands: Command) -> None:
    for command in commands:
        await bus.execute(command, context())


async def refusal(bus: Bus, command: Command) -> str:
    with pytest.raises(Refused) as refused:
        await bus.execute(command, context())
    return refused.value.code


def rule(field: str, **holds: object) -> ConfigureField:
    return ConfigureField(entity=INVOICE, field=field, **holds)  # type: ignore[arg-type] # Of the command.


BOTH_REQUIRED = (rule("custom.table", required=True), rule("customer", required=True))


async def drafted(store: Store) -> Sequence[InvoiceDrafted]:
    return [event for event in await store.history() if isinstance(event, InvoiceDrafted)]


async def test_a_field_that_was_added_is_kept_with_the_draft_and_the_invoice(
    bus: Bus, store: Store
) -> None:
    await decide_on(bus, TABLE, GUESTS)
    await bus.execute(replace(draft(), custom={"table": "2", "guests": 4}), context())
    await bus.execute(issue(), context())
    *_, issued = await store.history()
    assert isinstance(issued, InvoiceIssued)
    assert issued.custom == {"table": "2", "guests": "4"}


async def test_where_nothing_was_decided_nothing_is_kept(bus: Bus, store: Store) -> None:
    await bus.execute(replace(draft(), custom={}), context())
    assert [each.custom for each in await drafted(store)] == [None]


async def test_what_no_company_added_is_refused(bus: Bus) -> None:
    assert await refusal(bus, replace(draft(), custom={"table": "2"})) == "fields.unknown"


async def test_a_value_is_of_the_type_of_its_field(bus: Bus) -> None:
    await decide_on(bus, TABLE, GUESTS)
    for custom in ({"table": "9"}, {"guests": "many"}, {"guests": {"a": 1}}):
        assert await refusal(bus, replace(draft(), custom=custom)) == "fields.bad_value"


async def test_a_required_field_is_asked_for(bus: Bus) -> None:
    await decide_on(bus, TABLE, *BOTH_REQUIRED)
    assert await refusal(bus, replace(draft(), customer=ANA)) == "fields.required"
    assert await refusal(bus, replace(draft(), custom={"table": "1"})) == "fields.required"
    whole = replace(draft(), custom={"table": "1"}, customer=ANA)
    assert (await bus.execute(whole, context())).events


async def test_a_required_part_is_asked_for_where_there_is_the_whole(bus: Bus) -> None:
    await decide_on(bus, rule("customer.tax_id", required=True))
    assert await refusal(bus, replace(draft(), customer=ANA)) == "fields.required"
    assert (await bus.execute(draft(), context())).events


async def test_a_field_of_every_line_is_asked_for(bus: Bus) -> None:
    await decide_on(bus, rule("lines.item", required=True))
    without = (*LINES, replace(LINES[0], item=None))
    assert await refusal(bus, replace(draft(), lines=without)) == "fields.required"
    assert (await bus.execute(draft(), context())).events


async def test_a_hidden_field_is_not_taken(bus: Bus) -> None:
    await decide_on(bus, TABLE, rule("custom.table", hidden=True), rule("customer", hidden=True))
    assert await refusal(bus, replace(draft(), custom={"table": "1"})) == "fields.hidden"
    assert await refusal(bus, replace(draft(), customer=ANA)) == "fields.hidden"


async def test_a_default_is_filled_in(bus: Bus, store: Store) -> None:
    await decide_on(
        bus,
        TABLE,
        rule("custom.table", required=True, default="1"),
        rule("customer.country", default="ES"),
    )
    await bus.execute(replace(draft(), customer=ANA), context())
    (made,) = await drafted(store)
    assert (made.custom, made.customer_country) == ({"table": "1"}, "ES")


async def test_what_was_issued_elsewhere_is_only_held_to_the_types(bus: Bus, store: Store) -> None:
    await decide_on(bus, TABLE, *BOTH_REQUIRED)
    record = RecordInvoice(invoice="r1", number="X-1", issued_on=MAY_2, lines=LINES)  # type: ignore[arg-type] # Ids are texts.
    assert (await bus.execute(record, context())).events
    other = replace(record, invoice="r2", number="X-2", custom={"table": "9"})
    assert await refusal(bus, other) == "fields.bad_value"
    assert await store.head(TENANT)


async def test_a_field_that_another_process_added_is_known_at_once(bus: Bus, store: Store) -> None:
    other = Bus(store, vault=store.vault)
    await other.execute(draft("warm"), context())
    await decide_on(bus, TABLE)
    told = replace(draft(), custom={"table": "1"})
    assert (await other.execute(told, context())).events


async def test_documents_and_fields_are_those_that_there_are(bus: Bus) -> None:
    for command in (replace(TABLE, entity=EntityName("sales.order")), rule("lines")):
        with pytest.raises((NotFound, Refused)):
            await bus.execute(command, context())


async def test_what_a_company_added_has_a_schema(bus: Bus) -> None:
    hidden = AddCustomField(entity=INVOICE, field="old", type="text")
    await decide_on(
        bus,
        *(TABLE, GUESTS, hidden),
        *(rule("custom.table", required=True), rule("custom.old", hidden=True)),
    )
    fields = await bus.fold(TENANT, Fields.own())
    schema = custom_schema(fields.of(INVOICE))
    assert schema["properties"] == {
        "table": {"type": "string", "enum": ["1", "2"]},
        "guests": {"type": "string", "format": "decimal", "title": "Comensales"},
    }
    assert (schema["required"], schema["additionalProperties"]) == (["table"], False)


async def test_the_fields_of_a_document_are_listed_with_what_holds(bus: Bus) -> None:
    await decide_on(bus, TABLE, rule("customer.tax_id", required=True))
    (found,) = listed_fields(await bus.fold(TENANT, Fields.own()))
    holds = {each.field: (each.type, each.required) for each in found.fields}
    assert holds["customer.tax_id"] == ("text", True)
    assert holds["custom.table"] == ("choice", False)
    assert list(entities()) == [found.entity]
