"""REST: what is asked of another tenant's is answered as what there is not, on every route."""

import httpx
import pytest

from adapters.settings import Settings
from tests.isolation.company import SHARED, Company
from tests.isolation.operations import Operation, document, operations, templates
from tests.isolation.twins import Strangers, tokens
from tests.rest.api import caller

OPERATIONS = operations()
NAMES_NOTHING = {
    "POST /api/v1/login": "Who knows the password may; test_access has what others are told.",
    "GET /health": "As above: the process itself, tried below.",
    "GET /healthz": "As above.",
    "GET /ready": "As above.",
    "GET /metrics": "As above.",
    "GET /api/v1/module-catalogue": "What the product has, as the caller's own company uses it.",
    "GET /api/v1/field-catalogue": "As above.",
    "GET /api/v1/sector-templates": "As above.",
}
"""Operations with no place for anything of a tenant's, and those that open others."""


def test_the_operations_are_those_that_are_served(api: Settings) -> None:
    served = httpx.get(f"http://{api.asiento_host}:{api.port}/openapi.json", trust_env=False)
    paths = served.json()["paths"]
    assert {path: set(paths[path]) for path in paths} == {
        path: set(methods) for path, methods in document()["paths"].items()
    }
    assert len(OPERATIONS) > 40


def test_whatever_a_path_names_is_in_the_books_of_the_company(company: Company) -> None:
    named = {place for each in OPERATIONS for place in each.parameters("path")}
    assert named - company.named.keys() == set(), "Give the company one, in company.py."


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_the_ids_of_another_tenant_are_no_ids(
    strangers: Strangers, operation: Operation
) -> None:
    elsewhere = operation.name in NAMES_NOTHING
    asked = [] if elsewhere else list(templates(operation, strangers.company.named))
    assert asked or elsewhere, "Say why it names nothing."
    for template in asked:
        changes = operation.method != "get"
        answer = await strangers.alike(template, changes=changes)
        if tokens(template["url"]) - SHARED.keys():
            assert answer.status in {400, 403, 404, 409, 412}, (template, answer)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_the_ids_of_the_company_are_its_own(
    api: Settings, company: Company, operation: Operation
) -> None:
    """Or the test above would find nothing, whatever leaked."""
    places = operation.parameters("path")
    if operation.method != "get" or not set(places) - SHARED.keys():
        return
    path = operation.path
    for place in places:
        path = path.replace(f"{{{place}}}", company.named[place][0])
    async with caller(api, company.tenant.key) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert company.traces(answer.text)


async def test_who_shows_no_credential_is_told_of_nobody(api: Settings, company: Company) -> None:
    async with caller(api) as client:
        for operation in OPERATIONS:
            path = operation.path
            for place in operation.parameters("path"):
                path = path.replace(f"{{{place}}}", company.named[place][0])
            answer = await client.request(operation.method, path)
            found = company.traces(f"{answer.text} {answer.headers}")
            # Operators see which logs are behind, by the ids of tenants and by nothing else.
            assert set(found) <= ({company.tenant.id} if path == "/metrics" else set()), path
            if operation.path.startswith("/api/v1/") and operation.path != "/api/v1/login":
                assert answer.status_code == 401, operation.name


async def test_a_credential_is_no_good_in_another_tenants_name(
    strangers: Strangers, company: Company
) -> None:
    """Nothing that a request says of a tenant counts: the tenant is the credential's."""
    reader, _ = await strangers.readers()
    for headers in ({"X-Tenant": company.tenant.id}, {"Host": f"{company.tenant.slug}.example"}):
        for path in ("/api/v1/invoices", "/api/v1/tenants"):
            request = {"method": "GET", "url": path, "headers": headers}
            answer = await strangers.ask(reader, request)
            strangers.untraced(answer)
            assert answer.status_code == 200
    for extra in ("tenant", "tenant_id", "owner"):
        params = {extra: company.tenant.id}
        request = {"method": "GET", "url": "/api/v1/invoices", "params": params}
        answer = await strangers.ask(reader, request)
        assert answer.status_code == 400
        strangers.untraced(answer, company.tenant.id)
