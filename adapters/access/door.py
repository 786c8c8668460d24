"""The door: a credential goes in, a verified context comes out, or the one same refusal."""

import hmac
from datetime import UTC, datetime
from typing import Final, LiteralString
from weakref import WeakKeyDictionary

from msgspec import Struct
from psycopg import sql
from structlog.contextvars import get_contextvars

from adapters.access.lookups import Lookups
from adapters.access.secret import signing_key
from adapters.access.tokens import Claims, Tokens
from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.models.rows import load_rows, table_of
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from application.access import digest, read_api_key
from application.errors import Unauthenticated
from application.kernel import Context, new_id
from application.roles import permissions_of, standard_roles
from domain.access import Email, Enrolment, KeyId, Member, Role, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from projections.access import ApiKeyRow, ApiKeys, UserRow, Users
from projections.kernel import readable

USER: Final = "user:"
USER_OF: LiteralString = 'SELECT "user" FROM {} WHERE tenant_id = %s AND email = %s'


class Admission(Struct, frozen=True, kw_only=True, eq=False):
    """Who was let in, and by what that can be checked again: a key, or until when a token holds."""

    context: Context
    key: KeyId | None = None
    until: datetime | None = None


class Door:
    """Knows the keys and the people that came by lately, and the tokens of the instance."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = runtime.pool
        self._clock = runtime.clock
        self._keys = Lookups(self._find_key)
        self._rights = Lookups(self._find_rights)
        self.tokens = Tokens(signing_key(runtime.settings))

    async def enter(self, authorization: str | None) -> Admission | None:
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if credential.startswith("ask_"):
            return await self._by_key(credential.strip())
        claims = self.tokens.read(credential.strip(), now=self._clock.now())
        return await self._by_claims(claims) if claims else None

    async def user(self, email: Email) -> UserRow | None:
        table = await serving_table(self._pool, Users)
        user_of = sql.SQL(USER_OF).format(sql.Identifier(table))
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            found = await connection.execute(user_of, (SYSTEM_TENANT, email))
            ids = [user for (user,) in await found.fetchall()]
            rows = await load_rows(connection, table_of(Users, table), SYSTEM_TENANT, ids)
        return next((row for row in rows.values() if isinstance(row, UserRow)), None)

    async def rights(self, tenant: TenantId, user: UserId) -> frozenset[str] | None:
        """Tell what a person may do for a tenant; None: nothing, as it is no member."""
        return await self._rights.get((tenant, user))

    async def _by_claims(self, claims: Claims) -> Admission | None:
        user = UserId(claims.sub.removeprefix(USER))
        permissions = await self.rights(claims.tenant, user)
        if permissions is None:
            return None
        context = Context(
            tenant=claims.tenant,
            actor=claims.sub,
            permissions=permissions,
            correlation_id=self._request_id(),
        )
        return Admission(context=context, until=datetime.fromtimestamp(claims.exp, UTC))

    async def _by_key(self, text: str) -> Admission | None:
        given = read_api_key(text)
        row = await self._keys.get(given["key"]) if given else None
        if given is None or row is None:
            return None
        same = hmac.compare_digest(digest(given["secret"]), row.secret_sha256)
        if not same or not still_holds(row, self._clock.now()):
            return None
        context = Context(
            tenant=row.owner,
            actor=f"key:{row.key}",
            permissions=frozenset(row.permissions),
            correlation_id=self._request_id(),
        )
        return Admission(context=context, key=row.key)

    async def _find_key(self, key: KeyId) -> ApiKeyRow | None:
        table = table_of(ApiKeys, await serving_table(self._pool, ApiKeys))
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            rows = await load_rows(connection, table, SYSTEM_TENANT, [key])
        row = rows.get(key)
        return row if isinstance(row, ApiKeyRow) else None

    async def _find_rights(self, who: tuple[TenantId, UserId]) -> frozenset[str] | None:
        """Read the log itself, so that nothing is held that was taken away, whoever projects."""
        tenant, user = who
        bus, standard = self._runtime.bus, standard_roles(readable())
        member = await bus.fold(tenant, Member.at(user=user))
        if member.known:
            own = [each for each in member.roles if each not in standard]
            roles = {each: await bus.fold(tenant, Role.at(role=each)) for each in own}
            found = permissions_of(member.roles, roles, standard)
        else:  # Before there were members, people were enrolled with what they may.
            enrolled = await bus.fold(SYSTEM_TENANT, Enrolment.at(user=user))
            found = frozenset(enrolled.permissions if enrolled.tenant == tenant else ())
        return found or None

    def _request_id(self) -> str:
        return str(get_contextvars().get("request_id") or new_id(self._clock.now()))


_doors: WeakKeyDictionary[Pool, Door] = WeakKeyDictionary()


def door_of(runtime: Runtime) -> Door:
    """Return the door of a process, made when the first one comes."""
    door = _doors.get(runtime.pool)
    if door is None:
        door = _doors[runtime.pool] = Door(runtime)
    return door


def still_holds(row: ApiKeyRow, now: datetime) -> bool:
    """Tell whether a key is neither revoked nor expired."""
    return not row.revoked and (row.expires_at is None or row.expires_at > now)


async def authenticate(runtime: Runtime, authorization: str | None) -> Context:
    """Verify the value of an ``Authorization`` header, as `admit` does, for one request."""
    return (await admit(runtime, authorization)).context


async def admit(runtime: Runtime, authorization: str | None) -> Admission:
    """Verify the value of an ``Authorization`` header: an API key or an access token.

    Raises:
        Unauthenticated: It is missing, unknown, revoked or expired; which of these is not said.

    """
    admission = await door_of(runtime).enter(authorization)
    if admission is None:
        raise Unauthenticated(
            "access.unauthenticated",
            "This needs a credential that is known and still holds.",
            hint="Send `Authorization: Bearer` with an API key, or with a token of /api/v1/login.",
        )
    return admission
