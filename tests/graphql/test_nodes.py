"""`node`: a row of any type by its id alone, for whoever may see it."""

from typing import Any

import pytest

from adapters.graphql.asking import Asking
from adapters.graphql.queries.rows import row_types
from adapters.graphql.shapes import singular
from adapters.postgres.models.queries import list_rows
from tests.graphql.answers import Told, execute, sent
from tests.graphql.stocked import Office

NODE = """
query Node($id: ID!) {
  node(id: $id) { __typename id ... on Invoice { number lines { amount } } ...Of }
}
fragment Of on Node { ... on CustomerBalance { customerCode invoices(first: 1) { totalCount } } }
"""


async def told(asking: Asking, key: str) -> Told:
    asked, _ = sent(NODE, {"id": key})
    return await execute(asking, asked)


async def node(asking: Asking, key: str) -> Any:  # noqa: ANN401 - JSON.
    answer = await told(asking, key)
    assert answer.errors == {}
    ((_, found),) = answer.data
    return found and dict(found)


async def ids(asking: Asking) -> dict[str, list[str]]:
    """List the ids of all rows that the caller sees, by their types."""
    found = {}
    for model in row_types():
        page = await list_rows(asking.runtime.read_pool, model, asking.context, first=100)
        found[singular(model)] = [getattr(row, model.key) for row in page.rows]
    return found


async def test_every_row_is_found_by_its_id_alone_and_with_its_type(office: Office) -> None:
    for kind, keys in (await ids(office.asking())).items():
        assert keys
        for key in keys[:5]:
            for asked in (key, f"{kind}:{key}"):
                found = await node(office.asking(), asked)
                assert (found["__typename"], found["id"]) == (kind, key)


async def test_a_row_shows_what_its_own_type_has(office: Office) -> None:
    every = await ids(office.asking())
    invoice = await node(office.asking(), every["Invoice"][0])
    assert {"number", "lines"} <= invoice.keys()
    account = await node(office.asking(), every["CustomerBalance"][0])
    assert "number" not in account
    assert dict(account["invoices"])["totalCount"] > 0


async def test_rows_of_other_tenants_are_not_there(office: Office) -> None:
    theirs = await ids(office.asking())
    ours = await ids(office.asking_for_little())
    for kind, keys in theirs.items():
        for key in [key for key in keys if key not in ours[kind]][:5]:
            assert await node(office.asking_for_little(), key) is None
            assert await node(office.asking_for_little(), f"{kind}:{key}") is None
    (tenant,) = ours["Tenant"]
    assert (await node(office.asking_for_little(), tenant))["__typename"] == "Tenant"


async def test_what_the_caller_may_not_read_is_not_there(office: Office) -> None:
    every = await ids(office.asking())
    reader = office.asking("jobs.job.read")
    assert (await node(reader, every["Job"][0]))["__typename"] == "Job"
    for kind in every.keys() - {"Job"}:
        assert await node(reader, every[kind][0]) is None
        assert await node(reader, f"{kind}:{every[kind][0]}") is None


@pytest.mark.parametrize(
    "key", ["", ":", "nothing", "Invoice", "Invoice:", "Invoice:nothing", "User:x", ":x", "'", "ñ"]
)
async def test_what_is_no_row_is_null(office: Office, key: str) -> None:
    assert await node(office.asking(), key) is None


async def test_a_row_of_another_type_is_not_found_under_a_type(office: Office) -> None:
    every = await ids(office.asking())
    assert await node(office.asking(), f"Job:{every['Invoice'][0]}") is None


async def test_an_id_that_there_can_not_be_is_refused(office: Office) -> None:
    answer = await told(office.asking(), "a\0b")
    assert "query.bad_value" in "".join(answer.errors.values())
