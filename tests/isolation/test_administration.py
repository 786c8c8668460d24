"""Administration across tenants: its own tenant, its own permission, and a log that says who."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest

from adapters.access.owners import owner_permissions
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.access import OF_OPERATORS
from application.kernel import EVERYTHING, exposed_commands
from application.ports import QueryItem
from domain.ids import SYSTEM_TENANT
from projections.kernel import read_models
from tests.isolation.company import Company
from tests.isolation.twins import Strangers
from tests.rest.api import caller, make_key

CREATE: Final = "tenants.tenant.create"
READ: Final = "tenants.tenant.read"
SYSTEM, OWN = "the system's", "a tenant's"


async def pages(client: httpx.AsyncClient, path: str) -> list[Any]:
    """Read a list to its end."""
    items: list[Any] = []
    after: str | None = None
    while True:
        params: dict[str, str | int] = {"first": 100, **({"after": after} if after else {})}
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        after = answer.json()["next"]
        if after is None:
            return items


@pytest.fixture(scope="module")
async def operator(runtime: Runtime, api: Settings) -> tuple[str, str]:  # noqa: ARG001 - it serves.
    return await make_key(runtime, SYSTEM_TENANT, (EVERYTHING,))


async def test_the_systems_key_sees_all_tenants(
    api: Settings, operator: tuple[str, str], company: Company, strangers: Strangers
) -> None:
    reader, _ = await strangers.readers()
    async with caller(api, operator[1]) as client:
        listed = {each["tenant"] for each in await pages(client, "/api/v1/tenants")}
        one = await client.get(f"/api/v1/tenants/{company.tenant.id}")
        query = "{ tenants(first: 100) { totalCount nodes { id } } }"
        by_graphql = (await client.post("/graphql", json={"query": query})).json()
    assert {company.tenant.id, reader.id} <= listed
    assert one.json()["slug"] == company.tenant.slug
    assert by_graphql["data"]["tenants"]["totalCount"] == len(listed)


async def test_the_systems_key_sees_which_tenants_there_are_and_nothing_of_their_books(
    api: Settings, operator: tuple[str, str], company: Company
) -> None:
    """Nobody reads another tenant's books: an operator neither. It would need a key of theirs."""
    known = {company.tenant.id, company.tenant.slug, company.tenant.key_id}
    async with caller(api, operator[1]) as client:
        for model in read_models().values():
            if model.public and not model.system:
                path = f"/api/v1/{model.name.replace('_', '-')}"
                assert await pages(client, path) == []
                key = company.named.get(model.key, ("none", ""))[0]
                answer = await client.get(f"{path}/{key}")
                assert answer.status_code == 404
        for name in ("invoice", "batch", "job", "endpoint", "account"):
            query = f'{{ node(id: "{company.named[name][0]}") {{ id }} }}'
            answer = await client.post("/graphql", json={"query": query})
            assert answer.json()["data"] == {"node": None}
            assert set(company.traces(answer.text, company.named[name][0])) <= known


@pytest.mark.parametrize(
    ("whose", "permissions"),
    [(SYSTEM, (READ,)), (SYSTEM, ()), (OWN, (EVERYTHING,)), (OWN, owner_permissions())],
    ids=["the system's without *", "the system's with none", "a tenant's with *", "an owner's"],
)
async def test_no_other_key_sees_a_tenant_that_is_not_its_own(
    strangers: Strangers, whose: str, permissions: tuple[str, ...]
) -> None:
    company, of_system = strangers.company, whose == SYSTEM
    own = SYSTEM_TENANT if of_system else (await strangers.one()).id
    _, text = await make_key(strangers.runtime, own, permissions)
    async with caller(strangers.api, text) as client:
        answer = await client.get(f"/api/v1/tenants/{company.tenant.id}")
        assert answer.status_code == (404 if permissions else 403)
        if permissions:
            listed = await pages(client, "/api/v1/tenants")
            assert [each["tenant"] for each in listed] == ([] if of_system else [own])
            query = f'{{ node(id: "Tenant:{company.tenant.id}") {{ id }} }}'
            found = await client.post("/graphql", json={"query": query})
            assert found.json()["data"] == {"node": None}


def test_what_reaches_beyond_a_tenant_is_no_owners_to_give() -> None:
    """A command of the system with a route is one of the operators', or says why it is not."""
    routed = {
        exposed.permission
        for exposed in exposed_commands().values()
        if exposed.system and exposed.route is not None
    }
    # Their rules see that the key is of the caller's own company.
    of_keys = {"access.key.create", "access.key.rotate", "access.key.revoke"}
    assert routed - OF_OPERATORS == of_keys, "Whoever owns a tenant would have it."
    assert CREATE in routed
    assert set(owner_permissions()).isdisjoint({*OF_OPERATORS, EVERYTHING})


async def test_what_an_operator_does_stands_in_the_systems_log_with_who_did_it(
    runtime: Runtime, api: Settings, operator: tuple[str, str]
) -> None:
    since = await runtime.store.head(SYSTEM_TENANT)
    slug = f"o-{datetime.now(UTC).timestamp():.0f}"
    given = {"slug": slug, "name": "Opened by an operator", "country": "ES"}
    async with caller(api, operator[1]) as client:
        made = await client.post("/api/v1/tenants", json=given)
        again = await client.post("/api/v1/tenants", json=given)
    assert made.status_code == 201, made.text
    assert again.status_code == 409
    query = [QueryItem(types=("TenantCreated",))]
    found = [each async for each in runtime.store.read(SYSTEM_TENANT, query, after=since)]
    mine = [each for each in found if json.loads(each.data)["slug"] == slug]
    assert [each.actor for each in mine] == [f"key:{operator[0]}"]
    assert mine[0].position == made.json()["position"]
    assert mine[0].correlation_id != ""


async def test_every_event_of_the_systems_log_says_who_did_it(runtime: Runtime) -> None:
    actors = {each.actor async for each in runtime.store.read(SYSTEM_TENANT)}
    assert "" not in actors
    assert actors


async def test_an_owner_is_refused_what_is_an_operators_in_words_that_tell_nothing(
    strangers: Strangers, company: Company
) -> None:
    """Whether a name is taken would tell which companies there are."""
    answers = []
    reader, _ = await strangers.readers()
    for slug in (company.tenant.slug, "nobodys-name"):
        given = {"slug": slug, "name": "x", "country": "ES"}
        asked = {"method": "POST", "url": "/api/v1/tenants", "json": given}
        answer = await strangers.ask(reader, asked)
        problem = answer.json()
        answers.append((answer.status_code, {**problem, "instance": ""}))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403
