"""Commands that are compiled do once what executed ones do, and say the same of it."""

from typing import Any

from adapters.graphql.asking import Asking
from adapters.graphql.compiled.answers import answer_compiled
from tests.graphql.answers import Told, execute, sent
from tests.graphql.stocked import Office

DRAFT = """
mutation Draft($input: DraftInvoiceInput!, $key: String, $more: Boolean = true) {
  made: draftInvoice(input: $input, idempotencyKey: $key) {
    ...Made
    __typename
    events @include(if: $more) { at: position __typename type }
  }
}
fragment Made on DraftInvoiceResult { position invoice again: invoice }
"""
INPUT = {
    "lines": [{"description": 'A "bolt"', "quantity": "3", "unitPrice": "1.50", "taxRate": "21"}],
    "customer": {"code": "C-1", "name": "Ana Núñez", "taxId": None},
}
BAD = {**INPUT, "lines": []}


async def run(asking: Asking, **variables: object) -> tuple[bytes | None, Told]:
    """Answer compiled, and then, under the same key, executed."""
    asked, request = sent(DRAFT, variables)
    compiled = await answer_compiled(asking, asked, request)
    return compiled, await execute(asking, asked)


async def head_of(office: Office) -> int:
    return await office.runtime.store.head(office.much)


async def test_a_compiled_command_says_what_an_executed_one_does(office: Office) -> None:
    before = await head_of(office)
    compiled, executed = await run(office.asking(), input=INPUT, key="compiled-1", more=True)
    assert compiled is not None
    assert Told.of(compiled) == executed
    assert not executed.errors
    assert await head_of(office) == before + 1


async def test_a_command_that_is_refused_is_not_tried_again(office: Office) -> None:
    before = await head_of(office)
    asking = office.asking()
    compiled, executed = await run(asking, input=BAD, key="compiled-2", more=True)
    assert compiled is None
    assert list(asking.known) == ["made"]
    assert executed.errors
    fresh, request = sent(DRAFT, {"input": BAD, "key": "compiled-3", "more": True})
    assert request
    assert executed.errors == (await execute(office.asking(), fresh)).errors
    assert await head_of(office) == before


async def test_what_is_no_command_alone_is_executed(office: Office) -> None:
    cancel = 'cancelJob(input: {job: "x"}) { job }'
    two = f"mutation {{ a: {cancel} b: {cancel} }}"
    wrong: dict[str, Any] = {"input": {"lines": 3}, "key": "compiled-4", "more": True}
    for query, variables in ((two, {}), (DRAFT, wrong), ("mutation { __typename }", {})):
        asking = office.asking()
        asked, request = sent(query, variables)
        assert await answer_compiled(asking, asked, request) is None
        assert not asking.known
