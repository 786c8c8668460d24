"""Rows lead to those they are related to: of their own tenant, to one, to many, or to nobody."""

from typing import Any

import pytest

from adapters.graphql.asking import Asking
from adapters.graphql.shapes import singular
from projections.kernel import ReadModel, Related, columns_with_hints, indexed_columns, read_models
from tests.graphql.answers import ask, error_of
from tests.graphql.stocked import Office

INVOICES = """
{ invoices(first: 100) { nodes {
  id currency customerCode batch
  account { id customerCode currency documents }
  importBatch { id origin }
} } }
"""
ACCOUNTS = """
{ customerBalances(first: 100) { nodes {
  id customerCode currency
  invoices(first: 100) { totalCount nodes { id } }
} } }
"""
DEEP = """
{ importBatches(first: 100) { totalCount nodes {
  id
  documents(first: 2, orderBy: NUMBER_ASC) {
    totalCount
    edges { cursor node {
      number
      importBatch { id documents { totalCount } }
      account { id invoices(last: 1, orderBy: DUE_ASC) { totalCount nodes { due account { id } } } }
    } }
  }
} } }
"""
RELATED = [
    pytest.param(model, name, related, id=f"{model.name}.{name}")
    for model in read_models().values()
    for name, related in model.related.items()
]


async def nodes(asking: Asking, query: str) -> list[dict[str, Any]]:
    (rows,) = (await ask(asking, query)).values()
    found: list[dict[str, Any]] = rows["nodes"]
    return found


async def test_a_row_leads_to_the_one_it_belongs_to(office: Office) -> None:
    batches = {row["id"] for row in await nodes(office.asking(), DEEP)}
    seen = set()
    for row in await nodes(office.asking(), INVOICES):
        account, batch = row["account"], row["importBatch"]
        if account:
            assert account["id"] == f"{row['customerCode']}:{row['currency']}"
            assert account["customerCode"] == row["customerCode"]
        assert (batch["id"] if batch else None) == (
            row["batch"] if row["batch"] in batches else None
        )
        seen.add((account is None, batch is None, row["batch"] == "lost"))
    assert {(True, True, False), (False, False, False), (False, True, True)} <= seen


async def test_what_belongs_to_nobody_leads_to_nobody(office: Office) -> None:
    rows = await nodes(office.asking(), INVOICES)
    alone = [row for row in rows if row["customerCode"] is None]
    assert alone
    assert all(row["account"] is None for row in alone)
    assert all(row["importBatch"] is None for row in rows if row["batch"] in {None, "lost"})


async def test_a_row_leads_to_the_many_that_belong_to_it(office: Office) -> None:
    invoices = await nodes(office.asking(), INVOICES)
    for account in await nodes(office.asking(), ACCOUNTS):
        theirs = {
            row["id"]
            for row in invoices
            if (row["customerCode"], row["currency"])
            == (account["customerCode"], account["currency"])
        }
        assert {row["id"] for row in account["invoices"]["nodes"]} == theirs
        assert account["invoices"]["totalCount"] == len(theirs) > 0


async def test_lists_in_lists_count_what_belongs_to_their_own_row(office: Office) -> None:
    batches = await nodes(office.asking(), DEEP)
    assert len(batches) == 3
    for batch in batches:
        assert batch["documents"]["totalCount"] > 2
        assert len(batch["documents"]["edges"]) == 2
        for edge in batch["documents"]["edges"]:
            document = edge["node"]
            assert document["importBatch"]["id"] == batch["id"]
            counted = document["importBatch"]["documents"]["totalCount"]
            assert counted == batch["documents"]["totalCount"]
            if account := document["account"]:
                (last,) = account["invoices"]["nodes"]
                assert last["account"] == {"id": account["id"]}


async def test_relations_stay_within_the_tenant(office: Office) -> None:
    (account,) = await nodes(office.asking_for_little(), ACCOUNTS)
    among = {row["id"] for row in await nodes(office.asking(), ACCOUNTS)}
    assert account["id"] in among  # Of another tenant there is one of the same name.
    ours = {row["id"] for row in await nodes(office.asking_for_little(), INVOICES)}
    assert {row["id"] for row in account["invoices"]["nodes"]} <= ours
    assert account["invoices"]["totalCount"] < 3


async def test_a_filter_of_a_relation_narrows_it(office: Office) -> None:
    query = """
    { customerBalances(first: 100) { nodes {
      all: invoices { totalCount }
      drafts: invoices(first: 9, filter: {status: {eq: "draft"}}) {
        totalCount nodes { status }
      }
      issued: invoices(filter: {status: {eq: "issued"}}) { totalCount }
    } } }
    """
    rows = await nodes(office.asking(), query)
    for row in rows:
        drafts = row["drafts"]
        assert drafts["totalCount"] + row["issued"]["totalCount"] == row["all"]["totalCount"]
        assert drafts["nodes"] == [{"status": "draft"}] * drafts["totalCount"]
    assert any(row["drafts"]["totalCount"] for row in rows)


async def test_who_may_not_read_the_related_model_is_told_so_there(office: Office) -> None:
    asking = office.asking("invoicing.invoice.read")
    asked = '{ invoices(first: 1, filter: {batch: {eq: "lost"}}) { nodes { importBatch { id } } } }'
    error = await error_of(asking, asked)
    assert error["code"] == "access.forbidden"
    assert error["path"] == ["invoices", "nodes", 0, "importBatch"]
    fine = "{ invoices(first: 1) { nodes { account { id } } } }"
    assert (await ask(asking, fine))["invoices"]["nodes"]


@pytest.mark.parametrize(("model", "name", "related"), RELATED)
def test_a_relation_has_a_name_of_its_own_and_an_index(
    model: type[ReadModel[Any]],
    name: str,
    related: Related,
) -> None:
    other = read_models()[related.model]
    ours, theirs = columns_with_hints(model.row), columns_with_hints(other.row)
    assert name not in ours
    assert set(related.by.values()) <= ours.keys()
    assert set(related.by) <= theirs.keys()
    assert model.system == other.system
    first = next(iter(related.by))
    assert first == other.key or first in indexed_columns(other.row), singular(other)
