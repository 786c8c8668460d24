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
    "POST /api/v1/refresh": "Who has the token may; tests/rest/test_sessions has the others.",
    "POST /api/v1/logout": "As above.",
    "GET /api/v1/account/sessions": "A person's own; tests/rest/test_sessions has the others.",
    "POST /api/v1/account/sessions/end-others": "As above.",
    "GET /health": "The process itself, tried below.",
    "GET /healthz": "As above.",
    "GET /ready": "As above.",
    "GET /metrics": "As above.",
    "GET /api/v1/module-catalogue": "What the product has, as the caller's own company uses it.",
    "GET /api/v1/field-catalogue": "As above.",
    "GET /api/v1/sector-templates": "As above.",
    "POST /api/v1/invitations/accept": "Who has the letter may; the others are in tests/mail.",
    "POST /api/v1/email/verify": "As above.",
    "POST /api/v1/password/reset": "As above.",
    "POST /api/v1/account/email/verification": "A person asks for their own.",
    "GET /api/v1/account": "A person's own; their companies are tried in tests/rest.",
    "POST /api/v1/account/password": "As above.",
    "POST /api/v1/login/passkey": "Who has the device may; the others are in tests/access.",
    "POST /api/v1/login/passkey/options": "The same for everybody.",
    "GET /api/v1/account/factors": "A person's own.",
    "POST /api/v1/account/totp/begin": "As above.",
    "POST /api/v1/account/totp/confirm": "As above.",
    "POST /api/v1/account/totp/remove": "As above.",
    "POST /api/v1/account/recovery-codes": "As above.",
    "POST /api/v1/account/passkeys/options": "As above.",
    "POST /api/v1/account/passkeys": "As above; what a device made is in tests/access.",
    "POST /api/v1/second-factor": "Of the caller's own company.",
    "POST /api/v1/support": "As above; who may look then is in tests/rest/test_operators.",
    "GET /api/v1/security-entries": "Of the company that asks; a user of another in tests/rest.",
    "GET /api/v1/api-key-uses": "When the keys of the caller's own company were used.",
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
            if operation.path.startswith("/api/v1/") and operation.about["security"]:
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
