"""Companies, modules, fields and templates over REST, GraphQL and the command line."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from adapters.runtime import Runtime
from adapters.settings import Settings
from domain.ids import SYSTEM_TENANT
from domain.invoicing import InvoiceDrafted
from domain.profiles import ProfileChanged
from tests.cli.conftest import Asiento, asiento, environment
from tests.rest.api import (
    Tenant,
    api_process,
    caller,
    free_port,
    make_key,
    make_tenant,
    projecting,
)

__all__ = ["asiento", "environment"]
LINES = [{"description": "Bolt", "quantity": "3", "unit_price": "1.50"}]
DRAFT = {"lines": LINES}
CIF = "B12345674"
INVOICE = "invoicing.invoice"
Answer = dict[str, Any]


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Settings]:
    serving = replace(settings, port=free_port())
    with api_process(serving, settings.data / "api.log"):
        yield serving


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Runtime]:
    async with projecting(settings) as runtime:
        yield runtime


@pytest.fixture
async def tenant(office: Runtime) -> Tenant:
    return await make_tenant(office)


@pytest.fixture
async def client(api: Settings, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(api, tenant.key) as client:
        yield client


@pytest.fixture
async def operator(api: Settings, office: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Call the API with a key of the instance itself."""
    _, text = await make_key(office, SYSTEM_TENANT, ("*",))
    async with caller(api, text) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, body: object = None, status: int = 200) -> Any:  # noqa: ANN401 - JSON.
    answer = await client.post(f"/api/v1/{path}", json={} if body is None else body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str, **asked: object) -> Any:  # noqa: ANN401 - JSON.
    answer = await client.get(f"/api/v1/{path}", params={k: str(v) for k, v in asked.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(client: httpx.AsyncClient, query: str, **variables: object) -> Answer:
    answer = await client.post("/graphql", json={"query": query, "variables": variables})
    told: Answer = answer.json()
    return told


async def test_a_suspended_company_is_refused_everywhere_and_read_as_before(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, tenant: Tenant, asiento: Asiento
) -> None:
    made = await post(client, "invoices", DRAFT, 201)
    await post(operator, f"tenants/{tenant.id}/suspend", {"reason": "The fee is not paid."})
    refused = await post(client, "invoices", DRAFT, 403)
    assert refused["code"] == "tenants.suspended"
    assert "The fee is not paid." in refused["detail"]
    query = "mutation($i: DraftInvoiceInput!) { draftInvoice(input: $i) { position } }"
    lines = [{"description": "Bolt", "quantity": "3", "unitPrice": "1.50"}]
    answer = await ask(client, query, i={"lines": lines})
    assert answer["errors"][0]["extensions"]["code"] == "tenants.suspended"
    shell = asiento("open-import-batch", "--tenant", tenant.slug, "--json")
    assert (shell.code, shell.json["error"]["code"]) == (1, "tenants.suspended")
    row = await get(client, f"invoices/{made['invoice']}", at_least=made["position"])
    assert row["status"] == "draft"
    assert asiento("tenant", "resume", tenant.slug).code == 0
    await post(client, "invoices", DRAFT, 201)


async def test_what_became_of_a_company_is_shown(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, tenant: Tenant, asiento: Asiento
) -> None:
    await post(operator, f"tenants/{tenant.id}/rename", {"name": "Acme e Hijos"})
    done = await post(operator, f"tenants/{tenant.id}/suspend", {"reason": "By order."})
    query = "query($p: Position) { tenant(atLeast: $p) { name status suspended } }"
    answer = await ask(client, query, p=str(done["position"]))
    shown = {"name": "Acme e Hijos", "status": "suspended", "suspended": "By order."}
    assert answer["data"]["tenant"] == shown
    (listed,) = [e for e in asiento("tenant", "list", "--json").json if e["slug"] == tenant.slug]
    assert (listed["name"], listed["suspended"]) == ("Acme e Hijos", "By order.")


async def test_an_owner_suspends_and_renames_nobody(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    for command, body in (("suspend", {"reason": "x"}), ("resume", {}), ("rename", {"name": "x"})):
        answer = await post(client, f"tenants/{tenant.id}/{command}", body, 403)
        assert answer["code"] == "access.forbidden"


async def test_a_module_that_is_off_is_refused_everywhere_and_its_data_are_read(
    client: httpx.AsyncClient, tenant: Tenant, asiento: Asiento
) -> None:
    made = await post(client, "imports/batches", {}, 201)
    off = await post(client, "modules/imports/disable")
    assert [each["type"] for each in off["events"]] == ["ModuleDisabled"]
    assert (await post(client, "imports/batches", {}, 403))["code"] == "modules.disabled"
    answer = await ask(client, "mutation { openImportBatch(input: {}) { position } }")
    assert answer["errors"][0]["extensions"]["code"] == "modules.disabled"
    shell = asiento("open-import-batch", "--tenant", tenant.slug, "--json")
    assert shell.json["error"]["code"] == "modules.disabled"
    row = await get(client, f"import-batches/{made['batch']}", at_least=off["position"])
    assert row["status"] == "open"
    assert asiento("module", "enable", "imports", "--tenant", tenant.slug).code == 0
    await post(client, "imports/batches", {}, 201)


async def test_the_catalogue_is_the_same_on_every_surface(
    client: httpx.AsyncClient, tenant: Tenant, asiento: Asiento
) -> None:
    await post(client, "modules/invoicing/configure", {"settings": {"series": ["A", "B"]}})
    over_rest = await get(client, "module-catalogue")
    query = "{ moduleCatalogue { module enabled needs neededBy settings settingsSchema } }"
    over_graphql = (await ask(client, query))["data"]["moduleCatalogue"]
    on_the_line = asiento("module", "list", "--tenant", tenant.slug, "--json").json
    assert over_rest == on_the_line
    (mine,) = [each for each in over_graphql if each["module"] == "invoicing"]
    assert mine["settings"] == {"series": ["A", "B"], "currencies": []}
    assert mine["settingsSchema"]["properties"]["series"]["type"] == "array"
    assert (mine["enabled"], mine["needs"], mine["neededBy"]) == (True, [], ["imports"])


async def test_what_a_company_decided_about_modules_stands_in_a_list(
    client: httpx.AsyncClient,
) -> None:
    done = await post(client, "modules/invoicing/configure", {"settings": {"series": ["A"]}})
    listed = await get(client, "modules", at_least=done["position"])
    assert listed["items"] == [
        {"module": "invoicing", "enabled": None, "version": 1, "settings": {"series": ["A"]}}
    ]
    answer = await ask(client, '{ module(id: "invoicing") { id enabled version settings } }')
    assert answer["data"]["module"]["settings"] == {"series": ["A"]}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("modules/none/enable", {}, 404, "modules.absent"),
        ("modules/invoicing/disable", {}, 409, "modules.needed"),
        ("modules/invoicing/configure", {"settings": {"serie": 1}}, 400, "input.invalid"),
        ("profile", {"tax_id": "B12345678", "country": "ES"}, 409, "profiles.bad_tax_id"),
        ("profile", {"time_zone": "Mars/Base"}, 409, "profiles.unknown_time_zone"),
        ("sector-templates/none/apply", {}, 404, "sectors.absent"),
        ("fields/none.none/custom", {"field": "a", "type": "text"}, 404, "fields.no_entity"),
        (f"fields/{INVOICE}/configure", {"field": "lines"}, 409, "fields.absent"),
    ],
)
async def test_what_can_not_be_is_refused_with_a_code(
    client: httpx.AsyncClient, path: str, body: object, status: int, code: str
) -> None:
    assert (await post(client, path, body, status))["code"] == code


async def test_a_profile_is_sealed_in_the_log_and_read_by_the_company(
    client: httpx.AsyncClient, tenant: Tenant, office: Runtime
) -> None:
    about = {"legal_name": "Ana Núñez", "tax_id": CIF, "country": "ES", "locale": "es-ES"}
    done = await post(client, "profile", about)
    row = await get(client, "profiles/own", at_least=done["position"])
    assert row["tax_id"] == CIF
    assert row["tax_id_check"] == "passed"
    query = '{ profile(id: "own") { legalName taxId warning locale } }'
    answer = await ask(client, query)
    shown = {"legalName": "Ana Núñez", "taxId": CIF, "warning": None, "locale": "es-ES"}
    assert answer["data"]["profile"] == shown
    kept = [e.data async for e in office.store.read(tenant.id) if e.type == ProfileChanged.__name__]
    assert kept
    assert not [data for data in kept if CIF in data or "Ana" in data]


async def test_an_ecuadorian_tax_id_that_fails_is_a_warning(client: httpx.AsyncClient) -> None:
    done = await post(client, "profile", {"tax_id": "1792060347001", "country": "EC"})
    row = await get(client, "profiles/own", at_least=done["position"])
    assert row["warning"] == "tax_id_check_failed"


async def test_fields_of_the_company_reach_every_surface(
    client: httpx.AsyncClient, office: Runtime, tenant: Tenant
) -> None:
    added = {"field": "table", "type": "choice", "choices": ["1", "2"]}
    await post(client, f"fields/{INVOICE}/custom", added)
    made = await post(client, "invoices", {**DRAFT, "custom": {"table": "2"}}, 201)
    row = await get(client, f"invoices/{made['invoice']}", at_least=made["position"])
    assert row["custom"] == {"table": "2"}
    query = """query($id: ID!) {
      invoice(id: $id) { custom } invoices(first: 1) { nodes { custom } }
    }"""
    told = (await ask(client, query, id=made["invoice"]))["data"]
    assert told == {"invoice": {"custom": {"table": "2"}}, "invoices": {"nodes": [told["invoice"]]}}
    (entity,) = await get(client, "field-catalogue")
    schema = (await ask(client, "{ fieldCatalogue { entity customSchema } }"))["data"]
    assert schema["fieldCatalogue"] == [
        {"entity": INVOICE, "customSchema": entity["custom_schema"]}
    ]
    assert entity["custom_schema"]["properties"]["table"]["enum"] == ["1", "2"]
    assert [e.type async for e in office.store.read(tenant.id)][-1] == InvoiceDrafted.__name__


async def test_a_template_shows_the_difference_first_and_is_applied_once(
    client: httpx.AsyncClient, tenant: Tenant, asiento: Asiento
) -> None:
    shown = await post(client, "sector-templates/shop/apply", {"dry_run": True})
    assert (shown["dry_run"], shown["position"]) == (True, None)
    mutation = """mutation($t: String!, $dry: Boolean) {
      applySectorTemplate(template: $t, dryRun: $dry) {
        version appliedVersion dryRun position changes { subject before after action since }
      }
    }"""
    again = (await ask(client, mutation, t="shop", dry=True))["data"]["applySectorTemplate"]
    assert again["changes"] == shown["changes"]
    line = asiento("tenant", "template", "diff", "shop", "--tenant", tenant.slug, "--json").json
    assert line["changes"] == shown["changes"]
    done = (await ask(client, mutation, t="shop", dry=False))["data"]["applySectorTemplate"]
    assert done["position"]
    assert done["changes"] == shown["changes"]
    repeated = asiento("tenant", "template", "apply", "shop", "--tenant", tenant.slug, "--json")
    assert (repeated.json["applied_version"], repeated.json["position"]) == (1, None)
    listed = await get(client, "sector-templates")
    assert {e["template"]: e["applied_version"] for e in listed}["shop"] == 1
    answer = await ask(client, "{ sectorTemplates { template appliedVersion steps { command } } }")
    assert len(answer["data"]["sectorTemplates"]) == len(listed)


async def test_the_command_line_tells_people(tenant: Tenant, asiento: Asiento) -> None:
    for arguments in (
        ("module", "list", "--tenant", tenant.slug),
        (
            "module",
            "configure",
            "invoicing",
            "--settings",
            '{"series": ["A"]}',
            "--tenant",
            tenant.slug,
        ),
        ("module", "disable", "imports", "--tenant", tenant.slug),
        ("tenant", "template", "list"),
        ("tenant", "template", "show", "bakery"),
        ("tenant", "template", "apply", "bakery", "--tenant", tenant.slug),
        ("tenant", "rename", tenant.slug, "--name", "New"),
        ("tenant", "suspend", tenant.slug, "--reason", "x"),
        ("tenant", "resume", tenant.slug),
        ("tenant", "profile", tenant.slug),
    ):
        answer = asiento(*arguments)
        assert answer.code == 0, answer.err
        assert answer.out


async def test_who_may_not_read_modules_reads_none(api: Settings, office: Runtime) -> None:
    clerk = await make_tenant(office, ("invoicing.invoice.read",))
    async with caller(api, clerk.key) as client:
        for path in ("module-catalogue", "field-catalogue", "sector-templates", "modules"):
            answer = await client.get(f"/api/v1/{path}")
            assert answer.json()["code"] == "access.forbidden", path
        denied = await post(client, "sector-templates/shop/apply", {"dry_run": True}, 403)
        assert denied["code"] == "access.forbidden"
