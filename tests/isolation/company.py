"""A company with something of every kind in its books, each of its texts marked as its own."""

import re
from pathlib import Path
from secrets import token_hex
from typing import Any, Final
from uuid import uuid4

import httpx
from msgspec import Struct

from adapters.access.door import door_of
from adapters.access.sessions import Client
from adapters.accounts.factors import execute
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.webhooks.endpoints import Endpoints
from adapters.webhooks.ledger import LETTER
from adapters.worker.work import run_job
from application.kernel import EVERYTHING, Context
from domain.access import AddPasskey, AdmitMember, Email, RoleId, UserId
from domain.ids import JobId
from tests.rest.api import Tenant, caller, make_tenant, until_projected

SHARED: Final = {
    "module": "webhooks",
    "entity": "invoicing.invoice",
    "template": "shop",
    "profile": "own",
}
"""What goes by the same names with every tenant: parts of the product, and one's own profile."""

MONTH: Final = "1987-05"
NEVER: Final = "1986-05"
"""Months in which only the company did business, and in which nobody did."""

UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
HASH: Final = re.compile(r"\b[0-9a-f]{64}\b")
Json = Any  # JSON of any shape.


class Company(Struct, frozen=True):
    """The tenant whose books nobody else may see.

    Attributes:
        mark: Stands in each of its texts, and in nobody else's.
        named: What goes by a name as it stands in paths, inputs and filters: the company's own,
            and one of the same shape that nobody has.
        things: Every id that is the company's.
        head: Where its log ended when its books were filled.

    """

    tenant: Tenant
    mark: str
    named: dict[str, tuple[str, str]]
    things: frozenset[str]
    head: int

    def traces(self, text: str, *sent: str) -> list[str]:
        """Name what a text holds of the company, but for what was *sent*."""
        for each in sorted(sent, key=len, reverse=True):
            text = text.replace(each, "")
        found = {*UUID.findall(text), *HASH.findall(text)} & self.things
        return sorted(found | {each for each in (self.mark, MONTH) if each in text})


async def found_company(runtime: Runtime, api: Settings) -> Company:
    """Fill the books of a company, and wait until every read model shows them."""
    tenant, mark = await make_tenant(runtime), f"quartz{token_hex(3)}"
    async with caller(api, tenant.key) as client:
        clerk = _Clerk(client, mark)
        named = await clerk.invoices() | await clerk.webhook()
        named |= await clerk.imports(runtime, tenant)
        named |= await clerk.settings(runtime, tenant)
    named["passkey"] = await _passkey(runtime, UserId(named["user"]), mark)
    named["session"] = await _session(runtime, UserId(named["user"]), tenant, mark)
    head = await runtime.store.head(tenant.id)
    await Projector(runtime.pool, runtime.vault, [Endpoints()]).catch_up()
    await _bury(runtime, tenant, named["endpoint"], mark)
    await until_projected(runtime, tenant.id, head)
    named |= {"tenant": tenant.id, "slug": tenant.slug, "key": tenant.key_id, "head": str(head)}
    things = await _things(runtime, tenant) | {tenant.id, tenant.key_id, tenant.slug}
    return Company(
        tenant, mark, {n: (v, _nobodys(v, mark)) for n, v in named.items()}, things, head
    )


class _Clerk:
    """Does the company's business, by REST."""

    def __init__(self, client: httpx.AsyncClient, mark: str) -> None:
        self._client = client
        self._mark = mark

    async def invoices(self) -> dict[str, str]:
        mark = self._mark
        customer = {"code": f"{mark}-C", "name": f"{mark} SL", "country": "ES"}
        line = {
            "description": f"{mark} bolt",
            "quantity": "3",
            "unit_price": "7.77",
            "tax_rate": "21",
        }
        billed = {"lines": [{**line, "item": f"{mark}-I"}], "customer": customer}
        recorded = {"number": f"{mark}-1", "issued_on": f"{MONTH}-17", **billed}
        await self.post("/invoices/recorded", recorded)
        issued = (await self.post("/invoices", billed))["invoice"]
        series = {"series": f"{mark}S", "issued_on": f"{MONTH}-18"}
        await self.post(f"/invoices/{issued}/issue", series)
        draft = (await self.post("/invoices", billed))["invoice"]
        return {
            "invoice": draft,
            "issued": issued,
            "number": f"{mark}-1",
            "series": f"{mark}S",
            "code": f"{mark}-C",
            "customer_code": f"{mark}-C",
            "value": f"{mark}-C",
            "name": f"{mark} SL",
            "item": f"{mark}-I",
            "description": f"{mark} bolt",
            "search": f"{mark}-C",
            "account": f"{mark}-C:EUR",
            "line": f"{MONTH}:21:EUR",
            "month": MONTH,
        }

    async def imports(self, runtime: Runtime, tenant: Tenant) -> dict[str, str]:
        """Take a file in, one of whose rows is bad; leave another one to be taken in."""
        good = {"number": f"{self._mark}-7", "date": f"{MONTH}-19", "quantity": 1}
        rows = [{**good, "unit_price": "2", "description": self._mark}, {**good, "unit_price": "x"}]
        batch = (await self.post("/imports/batches", {"origin": self._mark}))["batch"]
        for step, given in (("ingest", {"rows": rows}), ("validate", {})):
            job = JobId((await self.post(f"/imports/batches/{batch}/{step}", given))["job"])
            await run_job(runtime, tenant.id, job, f"imports.{step}", batch)
        waiting = (await self.post("/imports/batches", {"origin": self._mark}))["batch"]
        job = (await self.post(f"/imports/batches/{waiting}/ingest", {"rows": rows}))["job"]
        done = await runtime.store.head(tenant.id)
        seen = await self._client.get(f"/api/v1/import-batches/{batch}", params={"at_least": done})
        assert seen.json()["status"] == "validated", seen.text
        return {"batch": batch, "subject": waiting, "job": job, "sha256": seen.json()["sha256"]}

    async def webhook(self) -> dict[str, str]:
        asked = {"url": f"https://{self._mark}.example/hook", "description": self._mark}
        made = await self.post("/webhooks", asked)
        return {"endpoint": made["endpoint"], "secret_id": made["secret_id"]}

    async def settings(self, runtime: Runtime, tenant: Tenant) -> dict[str, str]:
        """Change what a company has of the product, and who may do what in it."""
        await self.post("/profile", {"legal_name": f"{self._mark} SL"})
        kept = {"credential": f"{self._mark}-smtp", "kind": "generic", "secret": self._mark}
        await self.post("/credentials", kept)
        role = {"name": f"{self._mark} clerk", "permissions": ["invoicing.invoice.read"]}
        custom = {"field": f"{self._mark}_field", "type": "text", "label": self._mark}
        await self.post(f"/fields/{SHARED['entity']}/custom", custom)
        await self.post("/modules/webhooks/disable", {})
        made = (await self.post("/roles", role))["role"]
        branch = (await self.post("/branches", {"name": f"{self._mark} branch"}))["branch"]
        program = {"name": f"{self._mark} till", "roles": [made]}
        account = (await self.post("/service-accounts", program))["service_account"]
        await self.post("/api-keys", {"name": program["name"], "service_account": account})
        invited = {"email": f"{self._mark}@invited.example", "roles": [made]}
        invitation = (await self.post("/invitations", invited))["invitation"]
        user, email = str(uuid4()), f"{self._mark}@books.example"
        admit = AdmitMember(user=UserId(user), email=Email(email), roles=(RoleId(made),))
        owner = Context(
            tenant=tenant.id,
            actor="cli:owner",
            permissions=frozenset({EVERYTHING}),
            correlation_id="test",
        )
        await runtime.bus.execute(admit, owner)
        return {
            "credential": kept["credential"],
            "role": made,
            "roles": made,
            "branch": branch,
            "branches": branch,
            "service_account": account,
            "invitation": invitation,
            "user": user,
            "email": email,
            "field": custom["field"],
            "legal_name": f"{self._mark} SL",
            **SHARED,
        }

    async def post(self, path: str, given: Json) -> Json:
        answer = await self._client.post(f"/api/v1{path}", json=given)
        assert answer.is_success, answer.text
        return answer.json()


async def _bury(runtime: Runtime, tenant: Tenant, endpoint: str, mark: str) -> None:
    """Leave the endpoint an event that it never took."""
    async with tenant_transaction(runtime.pool, tenant.id) as connection:
        letter = (tenant.id, endpoint, 1, mark, 1, 500, mark, mark)
        await connection.execute(LETTER, letter)


async def _passkey(runtime: Runtime, user: UserId, mark: str) -> str:
    """Let somebody of the company have a device that logs them in."""
    passkey = token_hex(32)
    given = {"public_key": mark, "sign_count": 0, "transports": (), "digests": (mark,)}
    named = {"passkey": passkey, "credential": mark, "name": mark}
    await execute(runtime, user, AddPasskey, {**given, **named})
    return passkey


async def _session(runtime: Runtime, user: UserId, tenant: Tenant, mark: str) -> str:
    """Log somebody of the company in."""
    sessions, place = door_of(runtime).sessions, Client(agent=mark)
    return (await sessions.open(user, tenant.id, "tokens", place)).session.session


async def _things(runtime: Runtime, tenant: Tenant) -> frozenset[str]:
    """Name every id in its log."""
    texts = [
        f"{stored.data} {' '.join(stored.tags)}" async for stored in runtime.store.read(tenant.id)
    ]
    return frozenset(found for text in texts for ids in (UUID, HASH) for found in ids.findall(text))


def _nobodys(value: str, mark: str) -> str:
    """Make another value of the same shape, which nobody has."""
    if value in SHARED.values():
        return value
    if mark in value or MONTH in value:
        return value.replace(mark, f"quartz{token_hex(3)}").replace(MONTH, NEVER)
    if UUID.fullmatch(value):
        return value[:-12] + uuid4().hex[:12]
    if HASH.fullmatch(value):
        return token_hex(32)
    if value.isdecimal():
        return str(int(value) + 1)
    return value[:-12] + token_hex(6)  # A slug.


def in_checkout(*parts: str) -> Path:
    """Name a file of the checkout."""
    return Path(__file__).parents[2].joinpath(*parts)
