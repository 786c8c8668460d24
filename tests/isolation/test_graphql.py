"""GraphQL: what is asked of another tenant's is answered as what there is not, in every field."""

import json
from typing import Any

import pytest

from adapters.graphql.queries.rows import row_types
from adapters.graphql.shapes import singular
from adapters.settings import Settings
from projections.kernel import read_models
from tests.isolation.company import Company
from tests.isolation.fields import KINDS, Field, document, fields, id_places, requests
from tests.isolation.twins import Strangers, filled, tokens
from tests.rest.api import caller

ASKED_ELSEWHERE = {
    "Query.node": "Of each type, below.",
    "Query.history": "As above.",
    "Query.tenant": "The caller's own, without an id.",
    "Query.projections": "As above.",
    "Query.moduleCatalogue": "As above.",
    "Query.fieldCatalogue": "As above.",
    "Query.sectorTemplates": "As above.",
    "Query.apiKeyUses": "As above: of its own keys.",
    "Mutation.uploadImportFile": "With a file, in test_files.",
    "Mutation.requireSecondFactor": "Of the caller's own company.",
    "Mutation.grantSupport": "As above.",
}
TAGGED = ("invoice", "number", "customer_code", "slug", "email", "batch")
"""What rows can be found by in their history, by whatever name."""

FIELDS = fields("Query", "Mutation")


def test_the_fields_are_all_there_are() -> None:
    assert len(fields("Query")) > 15
    assert len(fields("Mutation")) > 15
    assert len(fields("Subscription")) >= 3
    assert {f"{each.kind}.{each.name}" for each in FIELDS} >= ASKED_ELSEWHERE.keys()


def test_whatever_is_an_id_is_in_the_books_of_the_company(company: Company) -> None:
    generic = {"id", "ids", "value"}
    unnamed = {
        f"{field.kind}.{field.name}: {place.name}"
        for field in fields(*KINDS)
        for place in id_places(field)
        if place.name not in company.named.keys() | generic
    }
    assert unnamed == set(), "Give the company one, in company.py."


@pytest.mark.parametrize("field", FIELDS, ids=lambda each: f"{each.kind}.{each.name}")
async def test_the_ids_of_another_tenant_are_no_ids(strangers: Strangers, field: Field) -> None:
    asked = list(requests(field, strangers.company.named))
    elsewhere = f"{field.kind}.{field.name}" in ASKED_ELSEWHERE
    assert asked or elsewhere, "Say why it names nothing."
    for template in [] if elsewhere else asked:
        answer = await strangers.alike(template, changes=field.kind == "Mutation")
        assert answer.status == 200, answer
        _understood(answer.body)


def _understood(body: str) -> None:
    """See that a request got as far as to be run: a document of our own making is no test."""
    for error in json.loads(body).get("errors", ()):
        assert not error["extensions"]["code"].startswith("graphql."), body


SAYS_NO_MORE = {
    "vatBook",
    "vatBookLine",
    "webhookDelivery",
    "credential",
    "credentials",
    "module",
    "modules",
    "profile",
}
"""Fields that show of the company what was sent, figures, and names of the product."""

NODES = [singular(model) for model in row_types()]


@pytest.mark.parametrize("prefix", ["", *NODES])
@pytest.mark.parametrize("of", NODES)
async def test_no_node_is_found_by_another_tenants_id(
    strangers: Strangers, of: str, prefix: str
) -> None:
    (key,) = (model.key for model in row_types() if singular(model) == of)
    given = f"{prefix}:<<{key}>>" if prefix else f"<<{key}>>"
    shown = " ".join(f"... on {each} {{ key{each}: id }}" for each in NODES)
    asked = {"query": f"query N($id: ID!) {{ node(id: $id) {{ id __typename {shown} }} }}"}
    posted = {"method": "POST", "url": "/graphql", "json": {**asked, "variables": {"id": given}}}
    answer = await strangers.alike(posted, changes=False)
    assert json.loads(answer.body)["data"] == {"node": None}


@pytest.mark.parametrize("model", [model.name for model in read_models().values()])
async def test_no_history_is_told_of_another_tenants_row(strangers: Strangers, model: str) -> None:
    field = Field("Query", "history")
    own = {each.key for each in read_models().values() if each.name == model}
    for name in sorted({*own, *TAGGED}):
        given = {"model": model, "id": f"<<{name}>>", "first": 5, "after": "1"}
        asked = {"query": document(field, given), "variables": given}
        posted = {"method": "POST", "url": "/graphql", "json": asked}
        answer = await strangers.alike(posted, changes=False)
        assert "errors" in json.loads(answer.body), answer


async def test_the_company_is_shown_what_is_its_own(api: Settings, company: Company) -> None:
    """Or the tests above would find nothing, whatever leaked."""
    seen: dict[str, Any] = {}
    async with caller(api, company.tenant.key) as client:
        for field in fields("Query"):
            for template in requests(field, company.named):
                ours = {name: company.named[name][0] for name in tokens(template)}
                answer = await client.post("/graphql", json=filled(template["json"], ours))
                data = json.dumps(answer.json().get("data"))
                found = company.traces(data, *ours.values())
                seen[field.name] = seen.get(field.name) or found
    blind = {name for name, found in seen.items() if not found}
    # What these show of the company is what was sent, or is no text.
    assert blind <= SAYS_NO_MORE, blind
    assert len(seen) > 10
