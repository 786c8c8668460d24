"""The OpenAPI document is what it says it is, names every error, and its examples work."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from adapters.rest.app import make_app
from adapters.rest.described import TAGS, Json, operations_of
from adapters.rest.docs import document_of
from adapters.rest.examples import EXAMPLES
from adapters.settings import Settings
from application.kernel import exposed_commands
from tests.rest.test_commands import drafted

OF_PUBLIC = {
    "Login",
    "Refresh",
    "Logout",
    "AcceptInvitation",
    "ForgetPassword",
    "ResetPassword",
    "VerifyEmail",
    "PasskeyLogin",
    "PasskeyLoginOptions",
    "IsAlive",
    "IsReady",
    "GetHealth",
    "GetMetrics",
}

COMMANDS = {name.__name__ for name, each in exposed_commands().items() if each.route is not None}
"""Operations that decide something, and that can come too late."""


@pytest.fixture(scope="module")
def document() -> Json:
    read: Json = json.loads(document_of(make_app(Settings())))
    return read


def parts(value: Any) -> Iterator[Json]:  # noqa: ANN401 - any part of a document.
    """Name every object of a document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from parts(each)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_is(document: Json) -> None:
    names = [each["operationId"] for each in operations_of(document)]
    assert len(names) == len(set(names)) > 30
    known = {tag.name for tag in TAGS}
    for each in operations_of(document):
        assert each["summary"]
        assert set(each["tags"]) <= known


def test_every_operation_names_the_errors_it_answers(document: Json) -> None:
    for path, operations in document["paths"].items():
        for method, each in operations.items():
            wanted = {"431", "default"}
            if each["operationId"] not in OF_PUBLIC:
                wanted |= {"400", "401", "403", "503"}
            if method == "post":
                wanted |= {"400", "429", "503"} | ({"408", "413", "415"} & set(each["responses"]))
            if method == "post" and "requestBody" in each:
                wanted |= {"408", "413", "415"}
            if each["operationId"] in COMMANDS:
                wanted |= {"409", "412"}
            assert wanted <= set(each["responses"]), (method, path)


def test_every_error_is_a_problem(document: Json) -> None:
    for each in operations_of(document):
        for status, response in each["responses"].items():
            if status == "default" or (status >= "400" and each["operationId"] != "IsReady"):
                assert [*response["content"]] == ["application/problem+json"]


def test_what_needs_a_credential_says_so_and_what_does_not_too(document: Json) -> None:
    for each in operations_of(document):
        assert each["security"] == ([] if each["operationId"] in OF_PUBLIC else [{"bearer": []}])


def test_every_reference_leads_somewhere(document: Json) -> None:
    schemas = document["components"]["schemas"]
    names = [each["$ref"].rpartition("/")[2] for each in parts(document) if "$ref" in each]
    assert names
    assert set(names) <= set(schemas)


def test_the_document_is_valid(document: Json) -> None:
    errors = OpenAPIV31SpecValidator(document).iter_errors()
    assert [error.message for error in errors] == []


def test_servers_are_wherever_the_document_came_from(document: Json) -> None:
    assert [server["url"] for server in document["servers"]] == ["/"]
    assert not re.search(r"https?://(?!books\.example)", json.dumps(document))


def test_no_parameter_is_null(document: Json) -> None:
    for operation in operations_of(document):
        for each in operation.get("parameters", ()):
            assert "null" not in json.dumps(each["schema"]), each


def test_every_example_is_of_an_operation(document: Json) -> None:
    names = {each["operationId"]: each for each in operations_of(document)}
    for name in EXAMPLES:
        assert "requestBody" in names[name], name


async def test_the_examples_of_commands_work(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    places = {
        "DraftInvoice": "invoices",
        "IssueInvoice": f"invoices/{invoice}/issue",
        "RecordInvoice": "invoices/recorded",
        "OpenImportBatch": "imports/batches",
        "RegisterWebhook": "webhooks",
        "ForgetSubject": "privacy/forgotten",
        "CreateApiKey": "api-keys",
    }
    made: dict[str, str] = {}
    for name, place in places.items():
        answer = await client.post(f"/api/v1/{place}", json=EXAMPLES[name])
        assert answer.is_success, (name, answer.text)
        made |= {key: value for key, value in answer.json().items() if isinstance(value, str)}
    rest = {
        "IngestRows": f"imports/batches/{made['batch']}/ingest",
        "ChangeWebhook": f"webhooks/{made['endpoint']}/change",
    }
    for name, place in rest.items():
        answer = await client.post(f"/api/v1/{place}", json=EXAMPLES[name])
        assert answer.is_success, (name, answer.text)
