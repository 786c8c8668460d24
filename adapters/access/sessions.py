"""Sessions: who is logged in, kept in a table of which a row is gone once its session ends.

A browser shows a secret of 256 bits, of which the hash is kept. A program shows a refresh token,
which each use replaces; it is made of a seed and a count, so that whoever asks twice within
moments gets the same successor (two windows of one person), and whoever comes with an older one
has a copy of it: then the session ends for both.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, LiteralString, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from adapters.access.secret import keys_for
from adapters.postgres.at_once import Query, ask_at_once
from adapters.postgres.connections import Connection, Pool, tenant_transaction
from adapters.settings import Settings
from application.kernel import new_id
from application.ports import Clock
from domain.access import SessionId, UserId
from domain.ids import SYSTEM_TENANT, TenantId

Kind: TypeAlias = Literal["browser", "tokens"]
PURPOSE: Final = "refresh token 1"
SECRET_BYTES: Final = 32
GRACE_SECONDS: Final = 30
"""So long the token that was just replaced is answered with the same successor."""

SEEN_EVERY: Final = timedelta(minutes=1)
TEXT_MAX: Final = 200
BROWSER: Final = "ass"
REFRESH: Final = "asr"
UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TEXT: Final = re.compile(rf"(ass|asr)_({UUID})_(?:([0-9]{{1,9}})_)?([\w-]{{43}})", re.ASCII)
UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\uffff]")

INSERT: LiteralString = """
INSERT INTO session (
    tenant_id, session_id, user_id, acts_for, kind, secret_sha256, seed, refreshes, refreshed_at,
    address, agent, began_at, seen_at, ends_at
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
SOME: LiteralString = """
SELECT session_id::text, user_id, acts_for::text, kind, secret_sha256, seed, refreshes,
    refreshed_at, address, agent, began_at, seen_at, ends_at
FROM session WHERE tenant_id = %s AND session_id = ANY (%s::uuid[]) AND ends_at > %s
"""
LOCK: LiteralString = f"{SOME} FOR UPDATE"
# One round trip: this one is asked for with requests.
FIND: Final = b"""
SELECT row_to_json(found) FROM (
    SELECT session_id AS session, user_id AS "user", acts_for, kind,
        encode(secret_sha256, 'base64') AS secret_sha256, encode(seed, 'base64') AS seed,
        refreshes, refreshed_at, address, agent, began_at, seen_at, ends_at
    FROM session WHERE tenant_id = $1 AND session_id = $2 AND ends_at > $3
) AS found
"""
OF_USER: LiteralString = """
SELECT session_id::text, user_id, acts_for::text, kind, secret_sha256, seed, refreshes,
    refreshed_at, address, agent, began_at, seen_at, ends_at
FROM session WHERE tenant_id = %s AND user_id = %s AND ends_at > %s
ORDER BY began_at DESC, session_id
"""
REFRESHED: LiteralString = """
UPDATE session SET refreshes = %s, refreshed_at = %s, seen_at = %s
WHERE tenant_id = %s AND session_id = %s
"""
SEEN: LiteralString = "UPDATE session SET seen_at = %s WHERE tenant_id = %s AND session_id = %s"
ACT_FOR: LiteralString = """
UPDATE session SET acts_for = %s WHERE tenant_id = %s AND session_id = %s
"""
END: LiteralString = """
DELETE FROM session WHERE tenant_id = %s AND session_id = %s AND user_id = %s
"""
END_ALL: LiteralString = """
DELETE FROM session
WHERE tenant_id = %s AND user_id = %s AND session_id IS DISTINCT FROM %s
"""
DROP_ENDED: LiteralString = "DELETE FROM session WHERE tenant_id = %s AND ends_at <= %s"


class Client(Struct, frozen=True, kw_only=True):
    """Where somebody calls from, as far as the connection and the headers tell."""

    address: str = ""
    agent: str = ""


class Session(Struct, frozen=True, kw_only=True):
    """Somebody who is logged in. Times are UTC."""

    session: SessionId
    user: UserId
    acts_for: TenantId
    kind: Kind
    secret_sha256: bytes | None
    seed: bytes
    refreshes: int
    refreshed_at: datetime
    address: str
    agent: str
    began_at: datetime
    seen_at: datetime
    ends_at: datetime


class Opened(Struct, frozen=True, kw_only=True):
    """A session that was opened or goes on, and the secret by which it does. Shown once."""

    session: Session
    secret: str

    def __repr__(self) -> str:
        return f"Opened({self.session.session!r})"


class Reused(Exception):
    """A refresh token came that was replaced before: somebody has a copy. The session ended."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.session)
        self.session = session


class Sessions:
    """Opens, finds, refreshes and ends the sessions of an instance."""

    def __init__(self, pool: Pool, settings: Settings, clock: Clock) -> None:
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._keys = keys_for(settings, PURPOSE)

    async def open(self, user: UserId, tenant: TenantId, kind: Kind, client: Client) -> Opened:
        """Begin a session; whatever was shown before, it has an id and a secret of its own."""
        now, secret = self._clock.now(), secrets.token_urlsafe(SECRET_BYTES)
        session = Session(
            session=SessionId(new_id(now)),
            user=user,
            acts_for=tenant,
            kind=kind,
            secret_sha256=_hash(secret) if kind == "browser" else None,
            seed=secrets.token_bytes(SECRET_BYTES),
            refreshes=0,
            refreshed_at=now,
            address=client.address[:TEXT_MAX],
            agent=UNPRINTABLE.sub("", client.agent)[:TEXT_MAX],
            began_at=now,
            seen_at=now,
            ends_at=now + timedelta(seconds=self._settings.session_seconds_max),
        )
        async with self._own() as connection:
            await connection.execute(INSERT, _row(session))
        shown = (
            f"{BROWSER}_{session.session}_{secret}" if kind == "browser" else self._token(session)
        )
        return Opened(session=session, secret=shown)

    async def find(self, session: SessionId) -> Session | None:
        """Find a session that was neither ended nor left alone for too long."""
        now = self._clock.now()
        asked = (SYSTEM_TENANT.encode(), session.encode(), now.isoformat().encode())
        [result] = await ask_at_once(self._pool, [Query(SYSTEM_TENANT, FIND, asked)])
        row = result.get_value(0, 0) if result.ntuples else None
        found = msgspec.json.decode(row, type=Session) if row else None
        if found is None or self.is_idle(found):
            return None
        if now - found.seen_at >= SEEN_EVERY:
            async with self._own() as connection:
                await connection.execute(SEEN, (now, SYSTEM_TENANT, session))
        return found

    async def going_on(self, sessions: Collection[SessionId]) -> set[SessionId]:
        """Tell which of these go on, by one statement."""
        if not sessions:
            return set()
        async with self._own() as connection:
            row = (SYSTEM_TENANT, list(sessions), self._clock.now())
            cursor = await connection.execute(SOME, row)
            found = [_session(each) for each in await cursor.fetchall()]
        return {each.session for each in found if not self.is_idle(each)}

    def is_idle(self, session: Session) -> bool:
        """Tell whether a session was left alone for so long that it does not go on."""
        settings = self._settings
        most = settings.session_idle_seconds
        if session.kind == "tokens":
            most = settings.refresh_seconds
        return self._clock.now() - session.seen_at > timedelta(seconds=most)

    async def refresh(self, text: str) -> Opened | None:
        """Replace a refresh token; None where it is none of ours, or holds no more.

        Raises:
            Reused: It was replaced before, and not just now. The session has ended.

        """
        given = TEXT.fullmatch(text)
        if given is None or given[1] != REFRESH or given[3] is None:
            return None
        now, session_id, count = self._clock.now(), given[2], int(given[3])
        async with self._own() as connection:
            found = await _one(connection, LOCK, (SYSTEM_TENANT, [session_id], now))
            if found is None or self.is_idle(found) or not self._is_token(found, count, text):
                return None
            usable = self._is_usable(found, count)
            if not usable:
                await connection.execute(END, (SYSTEM_TENANT, session_id, found.user))
            else:
                next_one = replace(
                    found,
                    refreshes=count + 1,
                    refreshed_at=now if count == found.refreshes else found.refreshed_at,
                    seen_at=now,
                )
                await connection.execute(REFRESHED, _refreshed(next_one))
        if not usable:
            raise Reused(found)
        return Opened(session=next_one, secret=self._token(next_one))

    async def holder(self, text: str) -> Session | None:
        """Find the session of a refresh token, be it replaced or not; None: of none there is."""
        given = TEXT.fullmatch(text)
        if given is None or given[3] is None:
            return None
        found = await self.find(SessionId(given[2]))
        return found if found and self._is_token(found, int(given[3]), text) else None

    async def of_user(self, user: UserId) -> list[Session]:
        """List the sessions of a person, the newest first."""
        now = self._clock.now()
        async with self._own() as connection:
            cursor = await connection.execute(OF_USER, (SYSTEM_TENANT, user, now))
            found = [_session(row) for row in await cursor.fetchall()]
        return [each for each in found if not self.is_idle(each)]

    async def act_for(self, session: SessionId, tenant: TenantId) -> None:
        """Have a session act for another company from now on. That it may is seen to before."""
        async with self._own() as connection:
            await connection.execute(ACT_FOR, (tenant, SYSTEM_TENANT, session))

    async def end(self, session: SessionId, user: UserId) -> bool:
        """End a session of a person; tell whether there was one."""
        async with self._own() as connection:
            gone = await connection.execute(END, (SYSTEM_TENANT, session, user))
        return gone.rowcount > 0

    async def end_all(self, user: UserId, *, but: SessionId | None = None) -> int:
        """End all sessions of a person, or all but one; return how many there were."""
        async with self._own() as connection:
            gone = await connection.execute(END_ALL, (SYSTEM_TENANT, user, but))
        return gone.rowcount

    def _own(self) -> AbstractAsyncContextManager[Connection]:
        return tenant_transaction(self._pool, SYSTEM_TENANT)

    def _is_usable(self, session: Session, count: int) -> bool:
        """Tell whether a token is the last one, or was so until a moment ago."""
        if count == session.refreshes:
            return True
        since = self._clock.now() - session.refreshed_at
        return count == session.refreshes - 1 and since <= timedelta(seconds=GRACE_SECONDS)

    def _is_token(self, session: Session, count: int, text: str) -> bool:
        """Tell whether we made it. A guessed one ends nobody's session."""
        one = replace(session, refreshes=count)
        made = [self._token(one, key) for key in self._keys]
        return any([hmac.compare_digest(each, text) for each in made])  # noqa: C419 - all of them.

    def _token(self, session: Session, key: bytes | None = None) -> str:
        about = f"{session.session} {session.refreshes} ".encode() + session.seed
        proof = hmac.digest(key or self._keys[0], about, "sha256")
        text = urlsafe_b64encode(proof).rstrip(b"=").decode()
        return f"{REFRESH}_{session.session}_{session.refreshes}_{text}"


def read_browser_secret(text: str) -> tuple[SessionId, bytes] | None:
    """Take apart what a browser shows: its session, and the hash of its secret."""
    given = TEXT.fullmatch(text)
    if given is None or given[1] != BROWSER or given[3] is not None:
        return None
    return SessionId(given[2]), _hash(given[4])


async def drop_ended(pool: Pool, now: datetime) -> int:
    """Drop the sessions whose time is over; return how many there were."""
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        return (await connection.execute(DROP_ENDED, (SYSTEM_TENANT, now))).rowcount


async def _one(
    connection: Connection, query: LiteralString, parameters: tuple[object, ...]
) -> Session | None:
    row = await (await connection.execute(query, parameters)).fetchone()
    return _session(row) if row else None


def _session(row: Sequence[object]) -> Session:
    return msgspec.convert(dict(zip(Session.__struct_fields__, row, strict=True)), Session)


def _row(session: Session) -> tuple[object, ...]:
    return SYSTEM_TENANT, *astuple(session)


def _refreshed(session: Session) -> tuple[object, ...]:
    return (
        session.refreshes,
        session.refreshed_at,
        session.seen_at,
        SYSTEM_TENANT,
        session.session,
    )


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
