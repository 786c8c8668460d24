"""What HTTP asks of every address: methods, forms of bodies, and problems where they don't fit."""

import httpx
import pytest

from tests.rest.test_commands import LINES, drafted

PROBLEM = "application/problem+json"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == PROBLEM, answer.text
    problem = answer.json()
    assert problem["hint"]
    assert problem["instance"] == f"urn:request:{answer.headers['x-request-id']}"
    return answer.status_code, problem["code"]


@pytest.mark.parametrize("form", ["text/plain", "application/x-www-form-urlencoded", "text/xml"])
async def test_a_body_that_is_no_json_is_refused_by_its_form(
    client: httpx.AsyncClient, form: str
) -> None:
    answer = await client.post(
        "/api/v1/invoices", content=b'{"lines":[]}', headers={"Content-Type": form}
    )
    assert code_of(answer) == (415, "http.unsupported_media_type")
    assert answer.headers["accept-post"] == "application/json"


@pytest.mark.parametrize("form", ["application/json", "application/json; charset=utf-8", None])
async def test_json_is_taken_by_any_of_its_names(
    client: httpx.AsyncClient, form: str | None
) -> None:
    request = client.build_request("POST", "/api/v1/invoices", json={"lines": LINES})
    del request.headers["content-type"]
    if form:
        request.headers["content-type"] = form
    assert (await client.send(request)).status_code == 201


async def test_a_body_for_rows_is_json_or_a_form(client: httpx.AsyncClient) -> None:
    given = {"source_type": "invoices", "origin": "test"}
    batch = (await client.post("/api/v1/imports/batches", json=given)).json()["batch"]
    place = f"/api/v1/imports/batches/{batch}/ingest"
    answer = await client.post(place, content=b"a,b", headers={"Content-Type": "text/csv"})
    assert code_of(answer) == (415, "http.unsupported_media_type")
    assert answer.headers["accept-post"] == "application/json, multipart/form-data"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/invoices", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", "/api/v1/jobs", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/api/v1/invoices/x/issue", {"POST", "OPTIONS"}),
        ("HEAD", "/api/v1/invoices/x/issue", {"POST", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/ready", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_another_method_is_told_those_that_there_are(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    if method != "HEAD":
        assert code_of(answer) == (405, "http.method_not_allowed")


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
async def test_options_name_the_methods(stranger: httpx.AsyncClient, prefix: str) -> None:
    answer = await stranger.options(f"{prefix}/invoices")
    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


async def test_head_is_get_without_its_body(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    place = f"/api/v1/invoices/{invoice}?at_least=1"
    get, head = await client.get(place), await client.head(place)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert head.headers.get(name) == get.headers.get(name)
    gone = await client.head("/api/v1/invoices/none")
    assert (gone.status_code, gone.content) == (404, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "PATCH"])
async def test_the_old_address_is_the_new_one_for_every_method(
    client: httpx.AsyncClient, method: str
) -> None:
    query = {"first": "1", "filter[number]": "A/1 ü"} if method == "GET" else {}
    old = await client.request(method, "/v1/invoices", params=query)
    new = await client.request(method, "/api/v1/invoices", params=query)
    assert (old.status_code, old.headers.get("allow")) == (
        new.status_code,
        new.headers.get("allow"),
    )
    assert {**_read(old), "instance": ""} == {**_read(new), "instance": ""}


async def test_the_old_address_filters_as_the_new_one(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/invoices?filter[nummer]=1")
    assert code_of(answer) == (400, "query.unknown_parameter")
    batch = {"source_type": "invoices", "origin": "test"}
    assert (await client.post("/v1/imports/batches", json=batch)).status_code == 201


async def test_what_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/invoices",
        content=b" " * 10_000_001,
        headers={"Content-Type": "application/json"},
    )
    assert code_of(answer) == (413, "http.request_entity_too_large")


async def test_headers_that_are_too_large_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/invoices", headers={"X-Long": "x" * 70_000})
    assert code_of(answer) == (431, "http.request_header_fields_too_large")


def _read(answer: httpx.Response) -> dict[str, object]:
    read: dict[str, object] = answer.json() if answer.content else {}
    return read
