"""The door: a credential goes in, a verified context comes out, or the one same refusal."""

import hmac
import time
from datetime import UTC, datetime
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from msgspec import Struct

from adapters.access.behalf import correlation_id
from adapters.access.key_uses import KeyUses
from adapters.access.keys import find_key
from adapters.access.lookups import Lookups
from adapters.access.rights import People, Rights
from adapters.access.secret import keys_for
from adapters.access.sessions import Session, Sessions, read_browser_secret
from adapters.access.shown import (
    ACCESS_COOKIE,
    CSRF_PURPOSE,
    SESSION_COOKIE,
    Page,
    Shown,
    check_forgery,
    csrf_token,
)
from adapters.access.tokens import PURPOSE, Claims, Tokens
from adapters.postgres.connections import Pool
from adapters.runtime import Runtime
from adapters.security.limits import check_rate
from adapters.security.notes import notes_of
from application.access import ACROSS, read_api_key
from application.errors import Forbidden, Unauthenticated
from application.kernel import Context
from application.operators import OPERATOR
from domain.access import KeyId, KeySecret, SessionId, UserId
from domain.ids import TenantId

USER: Final = "user:"


class Admission(Struct, frozen=True, kw_only=True, eq=False):
    """Who was let in, and by what that can be checked again: a key, or a session."""

    context: Context
    key: KeyId | None = None
    secret: KeySecret | None = None  # Of the key's, the one that was shown.
    user: UserId | None = None
    session: SessionId | None = None
    until: datetime | None = None


class Door:
    """Knows the keys and the people that came by lately, and the sessions of the instance."""

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._pool = runtime.pool
        self._clock = runtime.clock
        self._keys = Lookups(partial(find_key, runtime))
        self.uses = KeyUses(runtime.pool)
        self._people = People(runtime)
        self._origins = frozenset(settings.allowed_origins)
        self._csrf_key = keys_for(settings, CSRF_PURPOSE)[0]
        self.tokens = Tokens(keys_for(settings, PURPOSE))
        self.sessions = Sessions(runtime.pool, settings, runtime.clock)
        self._going_on = Lookups(self.sessions.find)

    async def enter(self, shown: Shown) -> Admission | None:
        """Let in whoever shows a credential that holds; None: nobody known.

        Raises:
            Forbidden: A cookie says who it is, and a page of others may be asking.

        """
        if not shown.authorization:
            return await self._by_cookie(shown)
        scheme, _, credential = shown.authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        if credential.startswith("ask_"):
            return await self._by_key(credential.strip(), shown.address)
        return await self._by_token(credential.strip())

    def csrf(self, session: SessionId) -> str:
        """Make the token that shows that a page of ours asks."""
        return csrf_token(self._csrf_key, session)

    def check_forgery(self, shown: Shown, session: SessionId, *, strict: bool) -> None:
        """See that a page of ours asks, where a cookie says who it is.

        Raises:
            Forbidden: It is a page of others, or nobody knows.

        """
        check_forgery(shown, self.csrf(session), self._origins, strict=strict)

    def check_page(self, page: Page) -> None:
        """See that it is no page of others that logs somebody in, by cookies that it can't see.

        Raises:
            Forbidden: It is one.

        """
        if page.is_ours(self._origins) is False:
            raise Forbidden(
                "access.foreign_page",
                "This page may not log anybody in by cookies.",
                hint="Name its origin in CORS_ORIGINS, or log in for tokens.",
            )

    async def session(self, session: SessionId) -> Session | None:
        """Find a session that goes on."""
        return await self._going_on.get(session)

    async def rights(self, tenant: TenantId, user: UserId) -> Rights | None:
        """Tell what a person may do for a tenant; None: nothing, as it is no member."""
        return await self._people.rights(tenant, user)

    async def _by_cookie(self, shown: Shown) -> Admission | None:
        browser = shown.cookies.get(SESSION_COOKIE)
        if browser is not None:
            admission = await self._by_secret(browser)
        else:
            admission = await self._by_token(shown.cookies.get(ACCESS_COOKIE, ""))
        if admission is not None and admission.session is not None:
            self.check_forgery(shown, admission.session, strict=browser is not None)
        return admission

    async def session_shown(self, shown: Shown) -> Session | None:
        """Find the session that a request shows, whatever its person may by now.

        Raises:
            Forbidden: A cookie says whose it is, and a page of others may be asking.

        """
        _, _, credential = shown.authorization.partition(" ")
        browser = None if shown.authorization else shown.cookies.get(SESSION_COOKIE)
        if browser is not None:
            session = await self._of_secret(browser)
        else:
            session, _ = await self._of_token(credential or shown.cookies.get(ACCESS_COOKIE, ""))
        if session is not None and not shown.authorization:
            self.check_forgery(shown, session.session, strict=browser is not None)
        return session

    async def _by_secret(self, text: str) -> Admission | None:
        session = await self._of_secret(text)
        if session is None:
            return None
        return await self._admission(session, session.acts_for, session.ends_at)

    async def _by_token(self, text: str) -> Admission | None:
        session, claims = await self._of_token(text)
        if session is None or claims is None:
            return None
        until = datetime.fromtimestamp(claims.exp, UTC)
        return await self._admission(session, claims.tenant, until)

    async def _of_secret(self, text: str) -> Session | None:
        given = read_browser_secret(text)
        session = await self.session(given[0]) if given else None
        kept = session.secret_sha256 if session else None
        same = given is not None and kept is not None and hmac.compare_digest(kept, given[1])
        return session if same else None

    async def _of_token(self, text: str) -> tuple[Session | None, Claims | None]:
        claims = self.tokens.read(text, now=self._clock.now()) if text else None
        session = await self.session(SessionId(claims.sid)) if claims else None
        if claims is None or session is None or claims.sub != f"{USER}{session.user}":
            return None, None
        return session, claims

    async def _admission(
        self, session: Session, tenant: TenantId, until: datetime
    ) -> Admission | None:
        rights = await self.rights(tenant, session.user)
        if rights is None:
            return None
        context = Context(
            tenant=tenant,
            actor=f"{OPERATOR if ACROSS in rights.permissions else USER}{session.user}",
            permissions=rights.permissions,
            correlation_id=correlation_id(self._clock),
            branches=rights.branches,
        )
        return Admission(context=context, user=session.user, session=session.session, until=until)

    async def _by_key(self, text: str, address: str) -> Admission | None:
        given, now, begun = read_api_key(text), self._clock.now(), time.monotonic()
        key = await self._keys.get(given["key"]) if given else None
        if given is None or key is None:
            return None
        secret = key.opened_by(given["secret"], now)
        if secret is None:  # It may be a new one, of which is not known yet.
            key = await self._keys.get(given["key"], begun=begun)
            secret = key.opened_by(given["secret"], now) if key else None
        if key is None or secret is None or not key.takes(address):
            return None
        self.uses.note(key.tenant, key.key, at=now, address=address, secret_id=secret.secret_id)
        context = Context(
            tenant=key.tenant,
            actor=f"key:{key.key}",
            permissions=key.permissions,
            correlation_id=correlation_id(self._clock),
        )
        return Admission(context=context, key=key.key, secret=secret)


_doors: WeakKeyDictionary[Pool, Door] = WeakKeyDictionary()


def door_of(runtime: Runtime) -> Door:
    """Return the door of a process, made when the first one comes."""
    door = _doors.get(runtime.pool)
    if door is None:
        door = _doors[runtime.pool] = Door(runtime)
    return door


async def admit(runtime: Runtime, shown: Shown) -> Admission:
    """Verify what a request shows: an API key, an access token or a session.

    Raises:
        Unauthenticated: It is missing, unknown, revoked or expired; which of these is not said.
        Forbidden: A cookie says who it is, and a page of others may be asking.
        TooMany: It asks more often than anybody may.

    """
    admission = await door_of(runtime).enter(shown)
    if admission is None:
        raise Unauthenticated(
            "access.unauthenticated",
            "This needs a credential that is known and still holds.",
            hint="Send `Authorization: Bearer` with an API key, or with a token of /api/v1/login.",
        )
    await check_rate(runtime, admission.context)
    if admission.key is not None:
        notes_of(runtime).key_used(admission.context.tenant, admission.key)
    return admission
