"""Two tenants who do the same at the same time, over the same connections, and break it off.

Each text of theirs is marked as one's or the other's, so that any answer tells whose it holds.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg
from msgspec import Struct, field

from adapters.postgres.models.versions import table_name
from adapters.settings import Settings
from projections.invoices import Invoices
from tests.isolation.company import UUID
from tests.isolation.twins import Stranger
from tests.rest.api import caller

ENDS: Final = (None, None, None, None, None, None, 0.0, 0.001, 0.003, 0.008, 0.02, 0.05)
"""After how many seconds a client goes away; None: it waits for its answer."""

API: Final = "isolation-api"
"""What the connections of the API are called in PostgreSQL."""

LOCKED_SECONDS: Final = 0.7
"""More than a statement may take."""

STREAM_SECONDS: Final = 0.15
AT_ONCE: Final = 12
KEYS: Final = 4
END_ONE: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = %s ORDER BY random() LIMIT 1
"""
CANCEL_ALL: Final = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = %s AND state = 'active'
"""
NODES: Final = "nodes { id number status customer { code name } lines { description } }"
DOCUMENTS: Final[Mapping[str, str]] = {
    "listed": f"{{ invoices(first: 5) {{ totalCount {NODES} pageInfo {{ endCursor }} }} }}",
    "ordered": f"{{ invoices(first: 3, orderBy: NUMBER_DESC) {{ {NODES} }} }}",
    "sought": f'{{ invoices(first: 5, filter: {{search: {{words: "bolt"}}}}) {{ {NODES} }} }}',
    "counted": "{ invoices { totalCount } customerBalances { totalCount } jobs { totalCount } }",
    "balanced": f"{{ customerBalances(first: 3) {{ nodes {{ id invoices(first: 3) {{ {NODES} }} }} }} }}",  # noqa: E501 - a document.
    "itself": "{ tenant { id slug name } projections { name tenant } }",
    "one": f"query One($id: ID!) {{ invoice(id: $id) {{ {NODES[8:-2]} }} }}",
    "told": 'query Told($id: ID!) { history(model: "Invoice", id: $id, first: 5) '
    "{ nodes { position actor changes { field before after } } } }",
    "drafted": "mutation D($input: DraftInvoiceInput!) { draftInvoice(input: $input) "
    "{ position invoice } }",
    "wrong": '{ invoices(first: 5, after: "x") { nodes { id } } }',
}  # fmt: skip
STREAM: Final = "subscription { events { position type data } }"
Json = Any  # JSON of any shape.


class Side(Struct):
    """A tenant, and what it knows of its own."""

    stranger: Stranger
    mark: str
    ids: list[str] = field(default_factory=list)
    told: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """What stands in an answer that holds something of it."""
        return (self.mark, self.stranger.id, self.stranger.slug, self.stranger.key_id)

    def line(self) -> dict[str, str]:
        return {"description": f"bolt of {self.mark}", "quantity": "1", "unit_price": "2"}


class Move(Struct, frozen=True):
    """What one of the two does: what, with which of the things there are, and for how long."""

    side: int
    what: str
    which: int
    ends: float | None


class Arena:
    """Lets two tenants loose on one API, and looks at everything that they are told."""

    def __init__(self, api: Settings, owner_url: str, sides: tuple[Side, Side]) -> None:
        self.sides = sides
        self.statuses: Counter[str] = Counter()
        self._api = api
        self._owner_url = owner_url

    async def play(self, moves: Sequence[Move]) -> None:
        """Make the moves, some at a time; both over the same connections to the API."""
        gate = asyncio.Semaphore(AT_ONCE)
        async with caller(self._api) as client:

            async def make(move: Move) -> None:
                async with gate:
                    await self._make(client, move)

            await asyncio.gather(*map(make, moves))

    async def _make(self, client: httpx.AsyncClient, move: Move) -> None:
        if move.what in DISTURBANCES:
            await asyncio.to_thread(self._disturb, move.what)
            return
        side, other = self.sides[move.side], self.sides[1 - move.side]
        request, sent = self._request(side, other, move)
        if move.what == "followed":
            await self._follow(client, side, other, request)
            return
        try:
            async with asyncio.timeout(move.ends):
                answer = await client.request(**request)
        except (TimeoutError, httpx.TransportError) as error:
            patient = move.ends is None and isinstance(error, httpx.TimeoutException)
            assert not patient, f"Nobody ever answered {request}."
            self.statuses["gone"] += 1
            return
        self.look(side, other, answer.status_code, f"{answer.headers} {answer.text}", sent)
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            _learn(side, answer.json())

    async def _follow(
        self, client: httpx.AsyncClient, side: Side, other: Side, request: dict[str, Json]
    ) -> None:
        """Listen for a moment, and go away in the middle."""
        lines: list[str] = []
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(STREAM_SECONDS), client.stream(**request) as told:
                async for line in told.aiter_lines():
                    lines += [line]
        self.look(side, other, 200, "\n".join(lines), "")

    def look(self, side: Side, other: Side, status: int, text: str, sent: str) -> None:
        """See that an answer holds nothing of the other tenant but what was sent."""
        text = text.replace(sent, "") if sent else text
        found = [name for name in other.names if name in text]
        found += [each for each in set(UUID.findall(text)) if each in other.ids]
        assert not found, (status, found, text)
        assert status < 500 or status == 503, (status, text)
        assert '"internal"' not in text, text
        side.told += side.mark in text
        self.statuses[str(status)] += 1

    def _request(self, side: Side, other: Side, move: Move) -> tuple[dict[str, Json], str]:
        """Write a request; every other one that names something names the other tenant's."""
        whose = other if move.which % 2 else side
        about = whose.ids[move.which % len(whose.ids)] if whose.ids else str(uuid4())
        headers = {"Authorization": f"Bearer {side.stranger.key}"}
        if move.what in DOCUMENTS:
            asked: Json = {"query": DOCUMENTS[move.what]}
            if "$id" in asked["query"]:
                asked["variables"] = {"id": about}
            if "$input" in asked["query"]:
                line = side.line()
                lines = [{**line, "unitPrice": line.pop("unit_price")}]
                asked["variables"] = {"input": {"lines": lines}}
            several = [asked, {"query": DOCUMENTS["listed"]}] if move.which == 3 else asked
            return _sent("POST", "/graphql", headers, json=several), about
        if move.what == "followed":
            headers["Accept"] = "text/event-stream"
            return _sent("POST", "/graphql", headers, json={"query": STREAM}), ""
        return REST[move.what](side, move, headers, about), about

    def _disturb(self, how: str) -> None:
        """Do to the connections of the API what an operator or a crash may."""
        with psycopg.connect(self._owner_url, autocommit=True) as owner:
            if how == "ended":
                owner.execute(END_ONE, (API,))
            elif how == "cancelled":
                owner.execute(CANCEL_ALL, (API,))
            else:
                with owner.transaction():
                    owner.execute(f"LOCK TABLE {table_name(Invoices)} IN ACCESS EXCLUSIVE MODE")
                    owner.execute("SELECT pg_sleep(%s)", (LOCKED_SECONDS,))


DISTURBANCES: Final = ("ended", "cancelled", "locked")


def _sent(method: str, url: str, headers: dict[str, str], **more: Json) -> dict[str, Json]:
    return {"method": method, "url": url, "headers": headers, **more}


def _list(_side: Side, move: Move, headers: dict[str, str], _about: str) -> dict[str, Json]:
    forms = ("application/json", "text/csv", "application/x-ndjson")
    params = {"first": 1 + move.which, "order_by": ("-number", "invoice")[move.which % 2]}
    headers["Accept"] = forms[move.which % len(forms)]
    return _sent("GET", "/api/v1/invoices", headers, params=params)


def _search(_side: Side, _move: Move, headers: dict[str, str], _about: str) -> dict[str, Json]:
    return _sent("GET", "/api/v1/invoices", headers, params={"filter[search]": "bolt"})


def _one(_side: Side, move: Move, headers: dict[str, str], about: str) -> dict[str, Json]:
    params = {"as_of": "2"} if move.which > KEYS else {}
    return _sent("GET", f"/api/v1/invoices/{about}", headers, params=params)


def _draft(side: Side, _move: Move, headers: dict[str, str], _about: str) -> dict[str, Json]:
    return _sent("POST", "/api/v1/invoices", headers, json={"lines": [side.line()]})


def _record(side: Side, move: Move, headers: dict[str, str], _about: str) -> dict[str, Json]:
    """Both use the same keys, numbers and customers."""
    headers["Idempotency-Key"] = f"key-{move.which % KEYS}"
    customer = {"code": "C-1", "name": f"customer of {side.mark}"}
    given = {"number": f"N-{move.which}", "issued_on": "2026-01-31", "customer": customer}
    body = {**given, "lines": [side.line()]}
    return _sent("POST", "/api/v1/invoices/recorded", headers, json=body)


def _issue(_side: Side, _move: Move, headers: dict[str, str], about: str) -> dict[str, Json]:
    return _sent("POST", f"/api/v1/invoices/{about}/issue", headers, json={"series": "A"})


def _wrong(_side: Side, _move: Move, headers: dict[str, str], _about: str) -> dict[str, Json]:
    params = {"filter[due][gt]": "1E+999999"}
    return _sent("GET", "/api/v1/invoices", headers, params=params)


REST: Final = {
    "list": _list,
    "search": _search,
    "get": _one,
    "draft": _draft,
    "record": _record,
    "issue": _issue,
    "err": _wrong,
}
MOVES: Final = (*REST, *DOCUMENTS, "followed")


def _learn(side: Side, told: Json) -> None:
    """Remember an id that was made."""
    made = told.get("invoice") or told["data"]["draftInvoice"]["invoice"]
    if made not in side.ids:
        side.ids.append(made)


def as_text(moves: Sequence[Move]) -> str:
    """Write moves down, to be told of a failure."""
    return json.dumps([[each.side, each.what, each.which, each.ends] for each in moves])
