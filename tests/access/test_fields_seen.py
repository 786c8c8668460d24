"""A field that needs a permission of its own is empty without it, wherever it is shown."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
import pytest

from adapters.graphql.answering import READING, prepare, run
from adapters.history import read_history
from adapters.postgres.models.moments import row_as_of
from adapters.postgres.models.sight import veiled
from application.kernel import Context
from projections.invoices import InvoiceRow, Invoices
from projections.kernel import (
    Guarded,
    Indexed,
    Row,
    SeenWith,
    columns_with_hints,
    guarded_fields,
    indexed_columns,
    read_models,
    readable,
)
from tests.access.shop import LIST, READ, SEE_TAX_ID, Shop, rows_of
from tests.graphql.answers import sent

ONE = "query ($id: ID!) { invoice(id: $id) { customer { code taxId } } }"
SPREAD = """
query ($id: ID!) { node(id: $id) { ...Billed } }
fragment Billed on Invoice { who: customer { tax: taxId } }
"""
PLAIN = "query ($id: ID!) { invoice(id: $id) { customer { code } } }"
MASKED = [{"field": "CustomerOfInvoice.taxId", "permission": SEE_TAX_ID}]


@pytest.fixture
def blind(shop: Shop) -> Context:
    return shop.caller(READ)


@pytest.fixture
def seeing(shop: Shop) -> Context:
    return shop.caller(READ, SEE_TAX_ID)


async def answered(
    shop: Shop, caller: Context, query: str, **variables: object
) -> dict[str, object]:
    """Return the whole answer."""
    asked, request = sent(query, variables)
    asking = shop.asking(caller)
    answer = await run(asking, await prepare(asking, asked, READING), request)
    told: dict[str, object] = msgspec.json.decode(msgspec.json.encode(answer))
    extensions = told.get("extensions", {})
    assert isinstance(extensions, dict)
    return {"data": told["data"], "masked": extensions.get("masked")}


async def test_graphql_leaves_it_empty_and_says_so(
    shop: Shop, blind: Context, seeing: Context
) -> None:
    row = shop.made[0].id
    told = await answered(shop, blind, ONE, id=row)
    shown = {"code": "C0", "taxId": None}
    assert told == {"data": {"invoice": {"customer": shown}}, "masked": MASKED}
    told = await answered(shop, seeing, ONE, id=row)
    shown = {"code": "C0", "taxId": "12345678Z"}
    assert told == {"data": {"invoice": {"customer": shown}}, "masked": None}


async def test_graphql_says_nothing_of_what_is_not_asked_for(shop: Shop, blind: Context) -> None:
    told = await answered(shop, blind, PLAIN, id=shop.made[0].id)
    assert told == {"data": {"invoice": {"customer": {"code": "C0"}}}, "masked": None}


async def test_no_other_name_uncovers_it(shop: Shop, blind: Context) -> None:
    told = await answered(shop, blind, SPREAD, id=shop.made[0].id)
    assert told == {"data": {"node": {"who": {"tax": None}}}, "masked": MASKED}


async def test_lists_leave_it_empty(shop: Shop, blind: Context, seeing: Context) -> None:
    for caller, shown in ((blind, None), (seeing, "12345678Z")):
        nodes = (await shop.ask(caller, LIST, first=100)).plain["invoices"]["nodes"]
        assert {node["customer"]["taxId"] for node in nodes} == {shown}


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-ndjson"])
async def test_rest_leaves_it_empty_and_says_so(
    shop: Shop, blind: Context, seeing: Context, accept: str
) -> None:
    hidden = await shop.get(blind, "/invoices", accept)
    assert hidden.headers["asiento-masked"] == f"customer.tax_id; needs={SEE_TAX_ID}"
    assert "12345678Z" not in hidden.text
    shown = await shop.get(seeing, "/invoices", accept)
    assert "asiento-masked" not in shown.headers
    assert "12345678Z" in shown.text
    if accept == "text/csv":
        (first, *_) = rows_of(hidden.text)
        assert msgspec.json.decode(first["customer"])["code"]


async def test_a_row_of_then_and_its_history_leave_it_empty(
    shop: Shop, blind: Context, seeing: Context
) -> None:
    row, head = shop.made[0].id, await shop.runtime.store.head(shop.tenant)
    for path in (f"/invoices/{row}", f"/invoices/{row}?as_of={head}"):
        hidden = await shop.get(blind, path)
        assert hidden.json()["customer"]["tax_id"] is None
        assert hidden.headers["asiento-masked"] == f"customer.tax_id; needs={SEE_TAX_ID}"
    then = await row_as_of(shop.runtime, Invoices, blind, row, head)
    assert isinstance(then, InvoiceRow)
    assert then.customer is not None
    assert then.customer.tax_id is None
    for caller, told in ((blind, False), (seeing, True)):
        page = await read_history(shop.runtime, caller, "invoices", row)
        assert ("12345678Z" in str(page.entries)) is told


def guarded() -> Iterator[tuple[str, Guarded]]:
    for model in read_models().values():
        yield from ((model.name, each) for each in guarded_fields(model.row))


def test_nothing_is_found_by_a_field_that_may_be_hidden() -> None:
    """A filter, an order or a search would tell what the rows don't."""
    for name, each in guarded():
        model = read_models()[name]
        path = ".".join(each.path)
        assert path not in model.search
        assert path not in indexed_columns(model.row)
        assert each.path[0] != model.key


def test_every_field_that_may_be_hidden_may_be_empty() -> None:
    for _, each in guarded():
        is_row = issubclass(each.owner, Row)
        hints = columns_with_hints(each.owner) if is_row else each.owner.__annotations__
        assert "None" in str(hints[each.path[-1]])


def test_owners_see_every_field_there_is() -> None:
    assert {each.permission for _, each in guarded()} <= readable()


class Inner(msgspec.Struct, frozen=True):
    told: Annotated[str | None, SeenWith("a.b.see")]
    plain: str = "plain"


class Odd(Row):
    odd: Indexed[str]
    many: tuple[Inner, ...] = ()
    one: Inner | None = None
    own: Annotated[str | None, SeenWith("a.b.see_own")] = None


def test_what_is_inside_of_many_is_hidden_in_each() -> None:
    fields = guarded_fields(Odd)
    assert [each.path for each in fields] == [("many", "told"), ("one", "told"), ("own",)]
    row = Odd(odd="o", many=(Inner("a"), Inner(None)), one=Inner("b"), own="c")
    nothing = Inner(None)
    assert veiled(row, fields) == Odd(odd="o", many=(nothing, nothing), one=nothing)
    assert veiled(Odd(odd="o"), fields) == Odd(odd="o")
