"""What looks the same to all tenants is each one's own: cursors, positions, keys, tags, hashes."""

import base64
import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from projections.kernel import read_models
from tests.isolation.company import UUID
from tests.isolation.fields import fields
from tests.isolation.operations import operations
from tests.isolation.twins import Strangers, Told, told

LINES = [{"description": "Nut", "quantity": "1", "unit_price": "2", "tax_rate": "21"}]
LISTS = [each.path for each in operations() if "first" in each.parameters("query")]
OF_CURSORS = [each for each in LISTS if "{" not in each]
Json = Any  # JSON of any shape.


@pytest.fixture(scope="module")
async def cursors(strangers: Strangers) -> dict[str, list[str]]:
    """The cursors of every list of the company, in whichever order."""
    found: dict[str, list[str]] = {path: [] for path in OF_CURSORS}
    for path in OF_CURSORS:
        asked: dict[str, Json] = {"method": "GET", "url": path, "params": {"first": 1}}
        page = (await strangers.ask(strangers.insider, asked)).json()
        for order in [None, *(page["items"][0] if page["items"] else {})]:
            params = {"first": 1, **({} if order is None else {"order_by": f"-{order}"})}
            asked = {"method": "GET", "url": path, "params": params}
            page = (await strangers.ask(strangers.insider, asked)).json()
            found[path] += [page["next"]] if page.get("next") else []
    return found


def test_lists_have_cursors_to_try(cursors: dict[str, list[str]]) -> None:
    assert len(cursors) > 8
    assert {path for path, some in cursors.items() if some} >= {
        "/api/v1/invoices",
        "/api/v1/jobs",
        "/api/v1/import-batches",
    }


OWN_FROM_THE_FIRST = {"/api/v1/security-entries", "/api/v1/api-keys", "/api/v1/api-key-uses"}
"""Lists in which whoever asks by a key finds something of their own."""


async def test_a_cursor_of_another_tenants_list_leads_to_ones_own_rows(
    strangers: Strangers, cursors: dict[str, list[str]]
) -> None:
    """A cursor is a place in an order. Behind it are the rows of whoever asks."""
    reader, _ = await strangers.readers()
    for path, some in cursors.items():
        for cursor in some:
            for way in ("after", "before"):
                size = {"first": 9} if way == "after" else {"last": 9}
                for order in (None, "-"):
                    params = {way: cursor, **size, **({} if order is None else _order(cursor))}
                    asked = {"method": "GET", "url": path, "params": params}
                    answer = await strangers.ask(reader, asked)
                    strangers.untraced(answer, cursor)
                    if answer.is_success:
                        items = answer.json()["items"]
                        rows = [each for each in items if each.get("tenant") != reader.id]
                        assert rows == [] or path in OWN_FROM_THE_FIRST


def _order(cursor: str) -> dict[str, str]:
    if PLACES_OF_LOGS.fullmatch(cursor):
        return {}  # Of the security log, which has one order.
    name = json.loads(base64.urlsafe_b64decode(f"{cursor}=="))[0]
    return {"order_by": name.partition(":")[2]}


PLACES_OF_LOGS = re.compile(r"[0-9]+\.[0-9]+")
PLACES = ["as_of", "at_least"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("model", [m.name for m in read_models().values() if m.public])
async def test_a_position_of_another_tenants_log_is_no_position(
    strangers: Strangers, model: str, place: str
) -> None:
    """What its log has reached, one can neither see nor wait for."""
    company, reader = strangers.company, (await strangers.readers())[0]
    answers = []
    of_system = next(m for m in read_models().values() if m.name == model).system
    url = f"/api/v1/{model.replace('_', '-')}"
    if place == "as_of":
        url += f"/{reader.id if of_system else company.named['invoice'][0]}"
    for position in (company.head, 10**9 + company.head):
        asked = {"method": "GET", "url": url, "params": {place: str(position)}}
        answer = await strangers.ask(reader, asked)
        strangers.untraced(answer, company.named["invoice"][0])
        answers.append((answer.status_code, answer.json().get("code")))
    if not of_system:  # The log of the system is longer than anybody's, and nobody's own.
        assert answers[0] == answers[1]
        assert answers[0][0] in {400, 404}


def record(number: str, key: str, **given: Json) -> dict[str, Json]:
    return {
        "method": "POST",
        "url": "/api/v1/invoices/recorded",
        "json": {"number": number, "issued_on": "2026-01-31", "lines": LINES, **given},
        "headers": {"Idempotency-Key": key},
    }


async def both(
    strangers: Strangers, ours: Mapping[str, Json], nobodys: Mapping[str, Json], *sent: str
) -> Told:
    """Ask twins, one by what is the company's too and one by what is nobody's."""
    left, right = await strangers.pair()
    first = await strangers.ask(left, ours)
    strangers.untraced(first, *sent)
    second = await strangers.ask(right, nobodys)
    told_first = told(first, left, {"same": sent[0]})
    told_second = told(second, right, {"same": sent[1]})
    assert told_first == told_second
    return told_first


async def test_an_idempotency_key_of_another_tenant_is_a_new_key(strangers: Strangers) -> None:
    company, key, other = strangers.company, str(uuid4()), str(uuid4())
    request = record(f"{company.mark}-K", key)
    for _ in range(2):
        done = await strangers.ask(strangers.insider, request)
        assert done.status_code == 201, done.text
    # The same request, another one, and the same key by the other door.
    for number in (f"{company.mark}-K", "N-1"):
        answer = await both(strangers, record(number, key), record(number, other), key, other)
        assert answer.status == 201
    mutation = """
    mutation M($key: String, $input: RecordInvoiceInput!) {
      recordInvoice(input: $input, idempotencyKey: $key) { position events { type position } }
    }
    """
    line = {"description": "Nut", "quantity": "1", "unitPrice": "2"}
    given = {"number": "N-1", "issuedOn": "2026-01-31", "lines": [line]}

    def posted(of: str) -> dict[str, Json]:
        asked = {"query": mutation, "variables": {"key": of, "input": given}}
        return {"method": "POST", "url": "/graphql", "json": asked}

    answer = await both(strangers, posted(key), posted(other), key, other)
    assert json.loads(answer.body)["data"]["recordInvoice"]["position"] == "1"


async def test_the_tag_of_another_tenants_row_matches_nothing(strangers: Strangers) -> None:
    company = strangers.company
    draft, unknown = company.named["invoice"]
    asked: dict[str, Json] = {"method": "GET", "url": f"/api/v1/invoices/{draft}"}
    seen = await strangers.ask(strangers.insider, asked)
    tag = seen.headers["etag"]
    position, _, digest = tag.strip('"').partition("-")
    forged = f'"{position}-{sha256(digest.encode()).hexdigest()[: len(digest)]}"'
    left, right = await strangers.pair()
    answers = []
    for stranger, invoice, given in ((left, draft, tag), (right, unknown, forged)):
        sent = {"invoice": invoice, "tag": given.strip('"')}
        for headers in ({"If-Match": given}, {"If-Match": f"{given}, *"}):
            url = f"/api/v1/invoices/{invoice}/issue"
            asked = {"method": "POST", "url": url, "json": {"series": "A"}, "headers": headers}
            answers.append(told(await strangers.ask(stranger, asked), stranger, sent))
        own = f"/api/v1/invoices/{invoice}"
        asked = {"method": "GET", "url": own, "headers": {"If-None-Match": given}}
        answers.append(told(await strangers.ask(stranger, asked), stranger, sent))
    assert answers[:3] == answers[3:]
    assert [each.status for each in answers[:3]] in ([412, 400, 404], [412, 412, 404])


async def test_a_tag_of_another_tenants_row_of_the_same_id_does_not_say_who_was_first(
    strangers: Strangers,
) -> None:
    """Two tenants may have a row of one id; what is seen of one says nothing of the other."""
    company, (stranger, _) = strangers.company, await strangers.pair()
    draft, _ = company.named["invoice"]
    asked = {
        "method": "POST",
        "url": "/api/v1/invoices",
        "json": {"invoice": draft, "lines": LINES},
    }
    made = await strangers.ask(stranger, asked)
    assert made.status_code == 201, made.text
    issue = {"method": "POST", "url": f"/api/v1/invoices/{draft}/issue", "json": {"series": "A"}}
    done = await strangers.ask(stranger, issue)
    strangers.untraced(done, draft)
    assert done.json()["position"] == 2
    params = {"at_least": company.head}
    read = {"method": "GET", "url": f"/api/v1/invoices/{draft}", "params": params}
    seen = (await strangers.ask(strangers.insider, read)).json()
    assert seen["status"] == "draft"
    assert company.mark in json.dumps(seen)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_document_that_another_tenant_taught_is_unknown(
    strangers: Strangers, accept: str
) -> None:
    company = strangers.company
    taught = f'query Of{uuid4().hex} {{ invoice(id: "{company.mark}-secret") {{ id }} }}'
    never = f"query Of{uuid4().hex} {{ invoice(id: 1) {{ id }} }}"
    digest, unknown = (sha256(each.encode()).hexdigest() for each in (taught, never))

    def named(of: str, **more: str) -> dict[str, Json]:
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": of}}
        body = {"extensions": extensions, **more}
        return {"method": "POST", "url": "/graphql", "json": body, "headers": {"Accept": accept}}

    for asked in (named(digest, query=taught), named(digest)):
        answer = await strangers.ask(strangers.insider, {**asked, "headers": {}})
        assert answer.json()["data"] == {"invoice": None}
    unknown_to_all = await both(strangers, named(digest), named(unknown), digest, unknown)
    assert "PERSISTED_QUERY_NOT_FOUND" in unknown_to_all.body


async def test_the_same_request_to_the_byte_is_answered_to_each_with_its_own(
    strangers: Strangers,
) -> None:
    """Requests are understood once for all who send them; what they find is not."""
    reader, _ = await strangers.readers()
    for field in fields("Query"):
        if "orderBy" not in field.about.args:
            continue
        body = f"{{ {field.name}(first: 5) {{ totalCount nodes {{ id }} }} }}"
        asked = {"method": "POST", "url": "/graphql", "json": {"query": body}}
        for _ in range(3):
            ours = (await strangers.ask(strangers.insider, asked)).json()["data"][field.name]
            theirs = await strangers.ask(reader, asked)
            strangers.untraced(theirs)
            found = theirs.json()["data"][field.name]
            own = [each["id"] for each in found["nodes"]]
            wanted = {"tenants": [reader.id], "apiKeys": [reader.key_id]}
            assert own == wanted.get(field.name, []), field.name
            assert found["totalCount"] == len(own)
            assert ours["totalCount"] > 0, field.name


async def test_an_array_of_requests_is_one_tenants(strangers: Strangers) -> None:
    company, (reader, _) = strangers.company, await strangers.readers()
    ids = [company.named[name][0] for name in ("invoice", "issued", "batch", "job")]
    asked = [{"query": f'{{ node(id: "{each}") {{ id }} }}'} for each in ids]
    answer = await strangers.ask(reader, {"method": "POST", "url": "/graphql", "json": asked})
    assert [each["data"] for each in answer.json()] == [{"node": None}] * len(ids)
    assert UUID.findall(json.dumps([each.get("data") for each in answer.json()])) == []
