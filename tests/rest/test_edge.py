"""The edge: problems of every form, request ids, health, counts and documentation."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from adapters.settings import Settings
from tests.rest.test_commands import LINES, drafted


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/v1/invoices", b'{"lines": [', 400, "input.invalid"),
        ("POST", "/api/v1/invoices", b"{}", 400, "input.invalid"),
        ("POST", "/api/v1/invoices", b'{"lines": [], "colour": 1}', 400, "input.invalid"),
        ("POST", "/api/v1/invoices", b'{"lines": []}', 400, "input.invalid"),
        ("POST", "/api/v1/invoices", b"", 400, "input.invalid"),
        ("POST", "/api/v1/invoices", b"[" * 100_000, 400, "input.invalid"),
        ("POST", "/api/v1/invoices", b"\xff\xfe", 400, "input.invalid"),
        ("POST", "/api/v1/login", b'{"email": "a\\u0000@b", "password": ""}', 400, "input.invalid"),
        ("GET", "/api/v1/invoices?filter[number]=%00", b"", 400, "query.bad_value"),
        ("POST", "/api/v1/invoices/%00/issue", b'{"series": "A"}', 400, "input.control_character"),
        ("POST", "/api/v1/invoices/none/issue", b'{"series": "A"}', 409, "invoicing.not_a_draft"),
        ("GET", "/api/v1/invoices?first=0", b"", 400, "input.invalid"),
        ("GET", "/api/v1/invoices?after=x", b"", 400, "query.bad_cursor"),
        ("GET", "/api/v1/nothing", b"", 404, "http.not_found"),
        ("GET", "/nothing", b"", 404, "http.not_found"),
        ("DELETE", "/api/v1/invoices", b"", 405, "http.method_not_allowed"),
        ("POST", "/api/v1/invoices", b" " * 10_000_001, 413, "http.request_entity_too_large"),
    ],
)
async def test_every_error_is_a_problem_with_a_code_and_a_hint(
    client: httpx.AsyncClient, *, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    answer = await client.request(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["hint"]
    assert problem["instance"] == f"urn:request:{answer.headers['x-request-id']}"


async def test_the_field_that_is_wrong_is_named(client: httpx.AsyncClient) -> None:
    wrong = [{**LINES[0], "quantity": "three"}]
    problem = (await client.post("/api/v1/invoices", json={"lines": wrong})).json()
    assert "quantity" in json.dumps(problem["faults"])


async def test_the_filter_that_is_wrong_is_named_as_it_was_sent(client: httpx.AsyncClient) -> None:
    query = {"filter[issued_on][gte]": "31/02/2010"}
    problem = (await client.get("/api/v1/invoices", params=query)).json()
    assert problem["faults"][0]["field"] == "filter[issued_on][gte]"


async def test_a_sane_request_id_comes_back(stranger: httpx.AsyncClient) -> None:
    given = str(uuid4())
    answer = await stranger.get("/health", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given


async def test_an_odd_request_id_is_replaced(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/health", headers={"X-Request-Id": "a b\t'"})
    assert UUID(answer.headers["x-request-id"]).version == 7


async def test_a_request_is_one_line_of_facts_in_the_log(
    api: Settings, client: httpx.AsyncClient
) -> None:
    given = str(uuid4())
    invoice = await drafted(client)
    await client.get(f"/api/v1/invoices/{invoice}?at_least=1", headers={"X-Request-Id": given})
    lines = [json.loads(line) for line in (api.data / "api.log").read_text().splitlines()]
    (line,) = [each for each in lines if each.get("request_id") == given]
    assert line["event"] == "request.answered"
    assert line["route"] == "/api/v1/invoices/{invoice}"
    assert (line["status"], line["service"], line["level"]) == (200, "api", "info")


async def test_health_needs_no_credential(stranger: httpx.AsyncClient) -> None:
    for path in ("/health", "/healthz", "/ready"):
        assert (await stranger.get(path)).json()["status"] == "ok"
        assert (await stranger.head(path)).status_code == 200


async def test_ready_names_its_checks(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/ready")
    assert answer.status_code == 200
    names = ("database", "redis", "migrations", "projections", "projector")
    checks = dict.fromkeys(names, "ok")
    assert answer.json() == {"status": "ok", "checks": checks}


async def test_metrics_count_requests_by_route(client: httpx.AsyncClient) -> None:
    await drafted(client)
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (
        'asiento_requests_total{method="POST",route="/api/v1/invoices",status="201"}' in answer.text
    )
    assert 'asiento_projection_lag_events_max{projection="invoices"}' in answer.text


async def test_the_document_is_served_as_it_stands_in_the_repository(
    stranger: httpx.AsyncClient,
) -> None:
    document = Path(__file__).parents[2] / "docs" / "openapi.json"
    served = (await stranger.get("/openapi.json")).json()
    assert json.loads(document.read_text()) == served, (
        "Run: python -m adapters.rest.document > docs/openapi.json"
    )
