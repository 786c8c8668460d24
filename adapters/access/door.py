"""The door: a credential goes in, a verified context comes out, or the one same refusal."""

import asyncio
import hmac
import time
from collections import OrderedDict
from typing import Final, LiteralString
from weakref import WeakKeyDictionary

from psycopg import sql
from structlog.contextvars import get_contextvars

from adapters.access.secret import signing_key
from adapters.access.tokens import Claims, Tokens
from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.models.rows import load_rows, table_of
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from application.access import digest, read_api_key
from application.errors import Unauthenticated
from application.kernel import Context, new_id
from domain.access import Email, KeyId
from domain.ids import SYSTEM_TENANT
from projections.access import ApiKeyRow, ApiKeys, UserRow, Users

KEPT_SECONDS: Final = 0.5
"""With the time the projection takes, a revoked key stops well within a second."""

KEPT_MAX: Final = 10_000
USER_OF: LiteralString = 'SELECT "user" FROM {} WHERE tenant_id = %s AND email = %s'


class Door:
    """Knows the keys that came by lately, and the tokens of the instance."""

    def __init__(self, runtime: Runtime) -> None:
        self._pool = runtime.pool
        self._clock = runtime.clock
        self._kept: OrderedDict[KeyId, tuple[float, asyncio.Task[ApiKeyRow | None]]] = OrderedDict()
        self.tokens = Tokens(signing_key(runtime.settings))

    async def enter(self, authorization: str | None) -> Context | None:
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if credential.startswith("ask_"):
            return await self._by_key(credential.strip())
        claims = self.tokens.read(credential.strip(), now=self._clock.now())
        return self._of_claims(claims) if claims else None

    async def user(self, email: Email) -> UserRow | None:
        table = await serving_table(self._pool, Users)
        user_of = sql.SQL(USER_OF).format(sql.Identifier(table))
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            found = await connection.execute(user_of, (SYSTEM_TENANT, email))
            ids = [user for (user,) in await found.fetchall()]
            rows = await load_rows(connection, table_of(Users, table), SYSTEM_TENANT, ids)
        return next((row for row in rows.values() if isinstance(row, UserRow)), None)

    def _of_claims(self, claims: Claims) -> Context:
        return Context(
            tenant=claims.tenant,
            actor=claims.sub,
            permissions=frozenset(claims.permissions),
            correlation_id=self._request_id(),
        )

    async def _by_key(self, text: str) -> Context | None:
        given = read_api_key(text)
        row = await self._row(given["key"]) if given else None
        if given is None or row is None:
            return None
        same = hmac.compare_digest(digest(given["secret"]), row.secret_sha256)
        expired = row.expires_at is not None and row.expires_at <= self._clock.now()
        if not same or row.revoked or expired:
            return None
        return Context(
            tenant=row.owner,
            actor=f"key:{row.key}",
            permissions=frozenset(row.permissions),
            correlation_id=self._request_id(),
        )

    async def _row(self, key: KeyId) -> ApiKeyRow | None:
        """Look a key up; those who ask at the same time share one look, and its answer."""
        now = time.monotonic()
        since, looking = self._kept.get(key, (0.0, None))
        if looking is None or now - since > KEPT_SECONDS:
            looking = asyncio.create_task(self._look_up(key))
            self._kept[key] = (now, looking)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return await asyncio.shield(looking)

    async def _look_up(self, key: KeyId) -> ApiKeyRow | None:
        try:
            table = table_of(ApiKeys, await serving_table(self._pool, ApiKeys))
            async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
                rows = await load_rows(connection, table, SYSTEM_TENANT, [key])
        except BaseException:
            self._kept.pop(key, None)
            raise
        row = rows.get(key)
        if not isinstance(row, ApiKeyRow):
            self._kept.pop(key, None)  # A key that was made just now is seen at once.
            return None
        return row

    def _request_id(self) -> str:
        return str(get_contextvars().get("request_id") or new_id(self._clock.now()))


_doors: WeakKeyDictionary[Pool, Door] = WeakKeyDictionary()


def door_of(runtime: Runtime) -> Door:
    """Return the door of a process, made when the first one comes."""
    door = _doors.get(runtime.pool)
    if door is None:
        door = _doors[runtime.pool] = Door(runtime)
    return door


async def authenticate(runtime: Runtime, authorization: str | None) -> Context:
    """Verify the value of an ``Authorization`` header: an API key or an access token.

    Raises:
        Unauthenticated: It is missing, unknown, revoked or expired; which of these is not said.

    """
    context = await door_of(runtime).enter(authorization)
    if context is None:
        raise Unauthenticated(
            "access.unauthenticated",
            "This needs a credential that is known and still holds.",
            hint="Send `Authorization: Bearer` with an API key, or with a token of /api/v1/login.",
        )
    return context
