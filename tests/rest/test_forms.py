"""Lists in other forms: CSV for spreadsheets and NDJSON for programs, whole and in order."""

import asyncio
import csv
import json
import socket
from collections.abc import AsyncIterator
from io import StringIO

import httpx
import pytest
import uvicorn
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State

from adapters.postgres.models.queries import Page
from adapters.rest.streams import CSV, NDJSON, Table, form_of, parts, stream
from application.errors import Unavailable
from application.kernel import Context
from domain.webhooks import EndpointId
from projections.webhooks import WebhookRow, Webhooks
from tests.rest.test_commands import LINES
from tests.rest.test_reads import Query, recorded

LIST = "/api/v1/invoices"
MANY = 130


@pytest.fixture
async def last(client: httpx.AsyncClient) -> int:
    """Record more invoices than a page holds."""
    _, position = await recorded(client, *(f"N-{number:03}" for number in range(MANY)))
    return position


def accept(form: str) -> dict[str, str]:
    return {"Accept": form}


async def table(client: httpx.AsyncClient, **query: str | int) -> list[dict[str, str]]:
    answer = await client.get(LIST, params=query, headers=accept("text/csv"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.text, newline="")))


async def test_a_table_holds_the_whole_list(client: httpx.AsyncClient, last: int) -> None:
    rows = await table(client, at_least=last, order_by="-number")
    assert [row["number"] for row in rows] == [f"N-{n:03}" for n in reversed(range(MANY))]
    assert (rows[0]["total"], rows[0]["batch"], rows[0]["kind"]) == ("5.45", "", "invoice")
    assert json.loads(rows[0]["lines"])[0]["description"] == "Bolt, ñ"


async def test_lines_of_json_hold_the_whole_list(client: httpx.AsyncClient, last: int) -> None:
    query: Query = {"at_least": last, "order_by": "number"}
    answer = await client.get(LIST, params=query, headers=accept("application/x-ndjson"))
    rows = [json.loads(line) for line in answer.text.splitlines()]
    page = (await client.get(LIST, params={**query, "first": 100})).json()
    assert rows[:100] == page["items"]
    assert [row["number"] for row in rows] == [f"N-{n:03}" for n in range(MANY)]


async def test_a_part_of_a_list_leads_to_the_next(client: httpx.AsyncClient, last: int) -> None:
    query: Query = {"at_least": last, "order_by": "number", "first": 2}
    answer = await client.get(LIST, params=query, headers=accept("application/x-ndjson"))
    assert len(answer.text.splitlines()) == 2
    following = answer.links["next"]["url"]
    rest = await client.get(LIST + following, headers=accept("application/x-ndjson"))
    assert [json.loads(line)["number"] for line in rest.text.splitlines()] == ["N-002", "N-003"]


async def test_a_list_is_filtered_in_every_form(client: httpx.AsyncClient, last: int) -> None:
    rows = await table(client, at_least=last, **{"filter[number][gte]": "N-128"})
    assert [row["number"] for row in rows] == ["N-128", "N-129"]


async def test_what_a_spreadsheet_would_run_is_kept_from_it(client: httpx.AsyncClient) -> None:
    signs = ["=1+1", "+1", "-1", "@a", "'a", "a=1"]
    for sign in signs:
        given = {"number": sign, "issued_on": "2026-01-02", "lines": LINES}
        answer = await client.post(f"{LIST}/recorded", json=given)
        assert answer.status_code == 201, answer.text
    credit = {"number": "Z", "issued_on": "2026-01-02", "lines": [{**LINES[0], "quantity": "-1"}]}
    answer = await client.post(f"{LIST}/recorded", json=credit)
    rows = await table(client, at_least=answer.json()["position"])
    assert sorted(row["number"] for row in rows) == sorted(
        ["'=1+1", "'+1", "'-1", "'@a", "''a", "a=1", "Z"]
    )
    assert "-1.82" in {row["total"] for row in rows}, "A number is no formula."


def test_a_cell_begins_with_no_sign_that_is_run() -> None:
    row = WebhookRow(endpoint=EndpointId("e"), url="\tu", types=("=a",), description='\r"a",b')
    (cells,) = csv.reader(StringIO(Table(Webhooks).lines([row]).decode(), newline=""))
    assert cells == ["e", "'\tu", '["=a"]', '\'\r"a",b', "enabled", ""]


class _Broken:
    """A list whose second page can't be had."""

    def __init__(self) -> None:
        row = WebhookRow(endpoint=EndpointId("e"), url="u", types=(), description="")
        self.page = Page(rows=[row], cursors=["c"], has_next=True)

    async def turn(self, _cursor: str | None) -> Page:
        raise Unavailable("database.unavailable", "It is away.", hint="Ask again.")

    def sent(self, form: str) -> AsyncIterator[bytes]:
        return parts(Webhooks, form, self.page, self.turn)


async def test_lines_that_break_off_end_with_the_problem() -> None:
    lines = b"".join([part async for part in _Broken().sent(NDJSON)]).splitlines()
    assert [*json.loads(lines[-1])] == ["problem"]
    problem = json.loads(lines[-1])["problem"]
    assert (problem["status"], problem["code"]) == (503, "database.unavailable")
    assert len(lines) == 2


async def test_a_table_that_breaks_off_does_not_look_whole() -> None:
    sent = _Broken().sent(CSV)
    assert [await anext(sent), await anext(sent)]
    with pytest.raises(Unavailable):
        await anext(sent)


@get("/list")
async def broken_list(request: Request[Context, str, State]) -> Response[object]:
    broken = _Broken()
    return stream(request, Webhooks, form_of(request), broken.page, broken.turn)


@pytest.fixture
async def breaking() -> AsyncIterator[httpx.AsyncClient]:
    """Calls a server whose only list breaks off."""
    app = Litestar([broken_list], logging_config=None, openapi_config=None)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client
        server.should_exit = True
        await serving


async def test_on_the_line_a_table_that_breaks_off_is_cut(breaking: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await breaking.get("/list", headers=accept(CSV))
    answer = await breaking.get("/list", headers=accept(NDJSON))
    assert "problem" in json.loads(answer.text.splitlines()[-1])


@pytest.mark.parametrize("form", ["text/csv", "application/x-ndjson"])
async def test_an_empty_list_is_empty_in_every_form(client: httpx.AsyncClient, form: str) -> None:
    answer = await client.get(LIST, headers=accept(form))
    lines = answer.text.splitlines()
    assert (answer.status_code, len(lines)) == (200, 1 if form == "text/csv" else 0)


async def test_what_is_wrong_is_told_before_the_first_row(client: httpx.AsyncClient) -> None:
    answer = await client.get(LIST, params={"order_by": "net"}, headers=accept("text/csv"))
    assert (answer.status_code, answer.json()["code"]) == (400, "query.not_orderable")


async def test_who_takes_no_form_that_there_is_is_told_those_there_are(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get(LIST, headers=accept("application/xml"))
    assert (answer.status_code, answer.json()["code"]) == (406, "query.not_acceptable")
    assert "text/csv" in answer.json()["hint"]


@pytest.mark.parametrize("form", ["*/*", "application/*", "text/html, */*;q=0.1", None])
async def test_who_takes_anything_gets_json(client: httpx.AsyncClient, form: str | None) -> None:
    headers = {"Accept": form} if form else {}
    answer = await client.get(LIST, headers=headers)
    assert answer.headers["content-type"] == "application/json"
    assert "Accept" in answer.headers["vary"]


async def test_the_head_of_a_table_can_be_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.head(LIST, headers=accept("text/csv"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-disposition"] == 'attachment; filename="invoices.csv"'
