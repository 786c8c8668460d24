"""Subscriptions: who listens for another tenant's hears what one hears who listens for nobody's."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from adapters.graphql.subscriptions.changes import models
from domain.ids import JobId
from tests.isolation.fields import fields
from tests.isolation.twins import Stranger, Strangers, plain
from tests.rest.api import url_of

SSE: Final = {"Accept": "text/event-stream"}
LINES: Final = [{"description": "Nut", "quantity": "1", "unit_price": "2"}]
LISTEN_SECONDS: Final = 6.0
"""How long streams are listened to: a job that is nobody's is waited for, for some 2 s."""

HAPPEN_SECONDS: Final = 2.5
"""When something happens, with all of them open."""

EVENTS: Final = "subscription E($after: Position) { events(after: $after) { position type data } }"
PROGRESS: Final = """
subscription P($job: ID!) { jobProgress(job: $job) { cursor status done total message } }
"""
CHANGED: Final = """
subscription C($model: ReadModelName!, $ids: [ID!], $after: Position) {
  changed(model: $model, ids: $ids, after: $after) { model ids gone position }
}
"""
Json = Any  # JSON of any shape.


class Asked:
    """What is subscribed to; the company's in the places that say so."""

    def __init__(self, query: str, variables: dict[str, Json], *, headers: dict[str, str]) -> None:
        self.query = query
        self.variables = variables
        self.headers = headers

    def sent(self, values: dict[str, str]) -> dict[str, Json]:
        text = json.dumps({"query": self.query, "variables": self.variables})
        for name, value in values.items():
            text = text.replace(f"<<{name}>>", value)
        sent: dict[str, Json] = json.loads(text)
        return sent


def subscriptions() -> Iterator[tuple[str, Asked]]:
    """Name what can be listened to, each in every way that it can name another tenant's."""
    yield "events", Asked(EVENTS, {}, headers={})
    yield "events behind a position", Asked(EVENTS, {"after": "<<head>>"}, headers={})
    yield "events behind an id", Asked(EVENTS, {}, headers={"Last-Event-ID": "<<head>>"})
    for name in ("job", "batch", "tenant"):
        yield f"jobProgress of a {name}", Asked(PROGRESS, {"job": f"<<{name}>>"}, headers={})
    yield "changed invoices", Asked(CHANGED, {"model": "INVOICES"}, headers={})
    for name, model in models().items():
        given = {"model": name.upper(), "ids": [f"<<{model.key}>>"]}
        yield f"changed {name} by id", Asked(CHANGED, given, headers={})
        behind = {"model": name.upper(), "after": "<<head>>"}
        yield f"changed {name} behind a position", Asked(CHANGED, behind, headers={})


ALL: Final = dict(subscriptions())
OPEN: Final = [ALL[name] for name in ("events", "jobProgress of a job", "changed invoices")]
"""What the company listens to as well."""


def test_every_subscription_is_tried() -> None:
    tried = {each.partition(" ")[0] for each in ALL}
    assert tried == {field.name for field in fields("Subscription")}
    assert len(models()) > 5


def values_of(strangers: Strangers, which: int) -> dict[str, str]:
    return {name: both[which] for name, both in strangers.company.named.items()}


async def heard(strangers: Strangers, stranger: Stranger, asked: Asked, which: int) -> list[str]:
    """Listen by server-sent events for as long as it takes to hear all."""
    values, lines = values_of(strangers, which), list[str]()
    own = {name: text.replace("<<head>>", values["head"]) for name, text in asked.headers.items()}
    posted = {"method": "POST", "url": "/graphql", "json": asked.sent(values)}
    request = {**posted, "headers": {**SSE, **own}}
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_SECONDS), strangers.stream(stranger, request) as told:
            async for line in told.aiter_lines():
                lines += [line]
    return lines


async def something_happens(strangers: Strangers, some: Sequence[Stranger]) -> None:
    """Let the company and some strangers each bill, and the company's job go on."""
    company, runtime = strangers.company, strangers.runtime
    await asyncio.sleep(HAPPEN_SECONDS)
    job = JobId(company.named["job"][0])
    await runtime.hub.tick(company.tenant.id, job, done=1, total=9, message=company.mark)
    for stranger in (strangers.insider, *some):
        text = company.mark if stranger == strangers.insider else "Nut"
        lines = [{**LINES[0], "description": text}]
        request = {"method": "POST", "url": "/api/v1/invoices", "json": {"lines": lines}}
        done = await strangers.ask(stranger, request)
        assert done.status_code == 201, done.text
    await runtime.hub.tick(company.tenant.id, job, done=2, total=9, message=company.mark)


Heard = dict[str, tuple[list[str], list[str], list[str]]]


@pytest.fixture(scope="module")
async def pair(strangers: Strangers) -> tuple[Stranger, Stranger]:
    return await strangers.pair()


@pytest.fixture(scope="module")
async def everything(strangers: Strangers, pair: tuple[Stranger, Stranger]) -> Heard:
    """Listen to everything at once: two who are told of the company's and of nobody's, and it."""
    left, right = pair
    who = ((left, 0), (right, 1), (strangers.insider, 0))
    listening = [
        heard(strangers, stranger, asked, which)
        for asked in ALL.values()
        for stranger, which in who
        if stranger != strangers.insider or asked in OPEN
    ]
    lines, _ = await asyncio.gather(
        asyncio.gather(*listening), something_happens(strangers, [left, right])
    )
    told = iter(lines)
    return {
        name: (next(told), next(told), next(told) if asked in OPEN else [])
        for name, asked in ALL.items()
    }


@pytest.mark.parametrize("name", ALL)
async def test_who_listens_for_another_tenants_hears_nothing_of_it(
    strangers: Strangers, pair: tuple[Stranger, Stranger], everything: Heard, name: str
) -> None:
    company, (ours, nobodys, _) = strangers.company, everything[name]
    sent = [each[0] for each in company.named.values()]
    assert company.traces("\n".join(ours), *sent) == []
    told = [
        written(lines, stranger, values_of(strangers, which))
        for which, (lines, stranger) in enumerate(zip((ours, nobodys), pair, strict=True))
    ]
    assert told[0] == told[1]
    if name in {"events", "changed invoices"}:
        assert any("data:" in line for line in ours), "It hears of what it does itself."


def written(lines: list[str], stranger: Stranger, values: dict[str, str]) -> list[str]:
    """Write what was heard as it would be to anybody; the beat of the connection is nobody's."""
    ids = {name: value for name, value in values.items() if name not in {"head", "month"}}
    said = [plain(line, stranger, ids) for line in lines if line not in {"", ":"}]
    return [line for line in said if "MOMENT" not in line or "data" in line]


async def test_the_company_hears_what_happens_to_it(
    strangers: Strangers, everything: Heard
) -> None:
    """Or the tests above would hear nothing, whatever was told."""
    for name, asked in ALL.items():
        if asked in OPEN:
            text = "\n".join(everything[name][2])
            assert "event: next" in text, (name, text)
            assert name == "changed invoices" or strangers.company.mark in text, text


async def test_over_a_socket_it_is_the_same(strangers: Strangers) -> None:
    company, pair = strangers.company, await strangers.pair()
    talks = [_talked(strangers, stranger, which) for which, stranger in enumerate(pair)]
    heard_by, _ = await asyncio.gather(asyncio.gather(*talks), something_happens(strangers, pair))
    sent = [each[0] for each in company.named.values()]
    assert company.traces("\n".join(heard_by[0]), *sent) == []
    told = [
        sorted(written(lines, stranger, values_of(strangers, which)))
        for which, (lines, stranger) in enumerate(zip(heard_by, pair, strict=True))
    ]
    assert told[0] == told[1]
    assert told[0] != []


async def _talked(strangers: Strangers, stranger: Stranger, which: int) -> list[str]:
    """Subscribe to everything over one socket, and return what was heard."""
    url = url_of(strangers.api).replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as talk:
        shown = {"Authorization": f"Bearer {stranger.key}"}
        await talk.send(json.dumps({"type": "connection_init", "payload": shown}))
        for at, asked in enumerate(ALL.values()):
            payload = asked.sent(values_of(strangers, which))
            await talk.send(json.dumps({"type": "subscribe", "id": str(at), "payload": payload}))
        return await _until_quiet(talk)


async def _until_quiet(talk: Any) -> list[str]:  # noqa: ANN401 - a connection.
    lines: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_SECONDS):
            async for message in talk:
                lines += [str(message)]
    return lines


async def test_nobody_listens_without_a_credential(strangers: Strangers) -> None:
    nobody = Stranger(strangers.company.tenant.id, "", "", "ask_nothing")
    for asked in ALL.values():
        sent = asked.sent(values_of(strangers, 0))
        request = {"method": "POST", "url": "/graphql", "json": sent, "headers": SSE}
        answer = await strangers.ask(nobody, request)
        assert answer.status_code == 401
        assert strangers.company.traces(answer.text) == []
