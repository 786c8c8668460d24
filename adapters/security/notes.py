"""Notes for the security log: who came in, who stayed outside, and who was refused what.

A login is in the log before it is answered: what can't be noted does not happen. All else is
noted behind the answer, so that nobody waits for it and no answer takes longer for an account that
there is; some of it may be lost when a server is away or a process is killed.

Nobody can fill a log: of what one caller does over and over, the first times are noted and then
the tenth, hundredth, thousandth; and of one kind a log takes so much an hour, and then how much
was left out.
"""

import asyncio
import contextvars
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

import structlog
from msgspec import Struct
from structlog.contextvars import get_contextvars

from adapters.access.sessions import TEXT_MAX, UNPRINTABLE, Client
from adapters.postgres.connections import Pool
from adapters.runtime import Runtime
from adapters.security.places import caller, network_of
from adapters.security.repeated import DAY, HOUR, Repeated, is_power_of_ten
from application.access import claimed_by, claims_of, email_digest
from application.errors import ApplicationError
from application.kernel import EVERYTHING, Context, new_id
from domain.access import (
    AccessRefused,
    Enrolment,
    EntriesLeftOut,
    FactorFailed,
    KeyId,
    KeyUsed,
    LockedOut,
    LoggedIn,
    LoginFailed,
    Member,
    NoteSecurity,
    RefreshReused,
    SecurityEvent,
    SessionEnded,
    SessionId,
    UserId,
)
from domain.access.security import Ending
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Refused

WAITING_MAX: Final = 1_000
"""Of what waits to be noted; what comes on top of it is counted, and lost."""

FIRST: Final = 5
"""So often within the hour the same of the same caller is noted each time."""

OF_A_LOG_MAX: Final = 100
"""Entries of one kind that a log takes within an hour."""

KEYS_MAX: Final = 10_000
CLOSE_SECONDS_MAX: Final = 2.0
SYSTEM: Final = "system"
log = structlog.get_logger()


class Entry(Struct, frozen=True, kw_only=True):
    """What is to be noted, in whose log and on whose behalf.

    Attributes:
        concerns: For whom it is counted, where that is not whose log it is.

    """

    tenant: TenantId
    event: SecurityEvent
    actor: str = SYSTEM
    concerns: TenantId | None = None


Find: TypeAlias = Callable[[int], Awaitable[Entry]]
"""Makes the entry of how often it happened within the hour."""


class _Seen(Struct, kw_only=True, eq=False):
    """What happened, once or several times before there was time to look at it."""

    find: Find
    correlation_id: str
    once_a_day: bool = False
    times: int = 1

    def due(self, before: int, after: int) -> int | None:
        """Name the last count of these that is noted; None: none of them."""
        if self.once_a_day:
            return 1 if before == 0 else None
        power = 10 ** (len(str(after)) - 1)
        few = power if power > FIRST else min(after, FIRST)
        return few if few > before else None


class Notes:
    """Writes the security log, in one process."""

    def __init__(self, runtime: Runtime) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()  # By kind and what became of it.
        self._runtime = runtime
        self._repeated = Repeated(runtime.redis, runtime.clock, runtime.vault.digest)
        self._waiting: dict[tuple[str, str], _Seen] = {}  # By kind and who did it, in order.
        self._working: asyncio.Task[None] | None = None
        self._keys: OrderedDict[tuple[KeyId, str], int] = OrderedDict()

    async def logged_in(
        self,
        tenant: TenantId,
        user: UserId,
        client: Client,
        *,
        session: str | None = None,
        by: str = "password",
        new_place: bool = False,
    ) -> None:
        """Note a login, before it is answered.

        Raises:
            Unavailable: It can't be noted now, and so must not happen.

        """
        event = LoggedIn(
            user=user,
            session=_session(session),
            by=by,
            new_place=new_place,
            address=_address(client),
            agent=_agent(client),
        )
        await self._append(Entry(tenant=tenant, event=event, actor=f"user:{user}"), _request())

    def login_failed(self, email: str, tenant: TenantId | None, client: Client) -> None:
        """Note that somebody did not prove who it is. Whether there is an account is not known."""
        find = partial(self._of_account, email, tenant, client, LoginFailed)
        self._put("LoginFailed", f"{email}\0{network_of(client.address)}", find)

    def locked_out(self, action: str, seconds: int, email: str, client: Client) -> None:
        """Note that somebody came again before the time was up."""
        make = partial(LockedOut, action=action, seconds=seconds)
        find = partial(self._of_account, email, None, client, make)
        self._put("LockedOut", f"{action}\0{email}\0{network_of(client.address)}", find)

    def factor_failed(self, tenant: TenantId, user: UserId, factor: str, client: Client) -> None:
        """Note that the password was right, and what was asked for beside it was not."""

        async def find(times: int) -> Entry:
            event = FactorFailed(
                user=user,
                factor=factor,
                times=times,
                address=_address(client),
                agent=_agent(client),
            )
            return Entry(tenant=tenant, event=event)

        self._put("FactorFailed", f"{user}\0{network_of(client.address)}", find)

    def session_ended(
        self,
        user: UserId,
        why: Ending,
        *,
        session: str | None = None,
        tenant: TenantId | None = None,
    ) -> None:
        """Note that a session ended, or all of a person did, by whoever calls."""
        client = caller()
        event = SessionEnded(
            user=user,
            session=_session(session),
            why=why,
            address=_address(client),
            agent=_agent(client),
        )

        async def find(_times: int) -> Entry:
            company = tenant or await self._company(user)
            return Entry(tenant=company, event=event, actor=f"user:{user}")

        self._put("SessionEnded", f"{user}\0{session}", find)

    def refresh_reused(self, tenant: TenantId, user: UserId, session: str, client: Client) -> None:
        """Note that somebody has a copy of a refresh token."""
        event = RefreshReused(
            user=user,
            session=SessionId(session),
            address=_address(client),
            agent=_agent(client),
        )
        find = partial(_as_it_is, Entry(tenant=tenant, event=event))
        self._put("RefreshReused", session, find)

    def refused(self, tenant: TenantId, actor: str, permission: str) -> None:
        """Note that somebody lacks a permission; a listener of refusals."""
        client = caller()
        kind, _, who = actor.partition(":")

        async def find(times: int) -> Entry:
            is_user = kind == "user"
            event = AccessRefused(
                permission=permission,
                user=UserId(who) if is_user else None,
                key=KeyId(who) if kind == "key" else None,
                network=None if is_user else network_of(client.address),
                times=times,
                address=_address(client) if is_user else None,
                agent=_agent(client) if is_user else None,
            )
            return Entry(tenant=tenant, event=event, actor=actor)

        self._put("AccessRefused", f"{tenant}\0{actor}\0{permission}", find)

    def key_used(self, tenant: TenantId, key: KeyId) -> None:
        """Note the first use of a key in a day from a network."""
        network, today = network_of(caller().address), self._runtime.clock.now().toordinal()
        if self._keys.get((key, network)) == today:
            return
        self._keys[key, network] = today
        while len(self._keys) > KEYS_MAX:
            self._keys.popitem(last=False)
        event = KeyUsed(key=key, tenant=tenant, network=network)
        entry = Entry(tenant=SYSTEM_TENANT, concerns=tenant, event=event, actor=f"key:{key}")
        find = partial(_as_it_is, entry)
        self._put("KeyUsed", f"{key}\0{network}", find, once_a_day=True)

    async def drain(self) -> None:
        """Wait until all is noted that waits."""
        if self._working is not None:
            await asyncio.wait([self._working])

    async def close(self) -> None:
        """Note what waits, in the time that there is; the rest is lost."""
        if self._working is not None:
            await asyncio.wait([self._working], timeout=CLOSE_SECONDS_MAX)
            self._working.cancel()

    def _put(self, kind: str, who: str, find: Find, *, once_a_day: bool = False) -> None:
        if (waiting := self._waiting.get((kind, who))) is not None:
            waiting.times += 1  # Whoever floods us takes one place, and pushes out nobody.
            return
        if len(self._waiting) >= WAITING_MAX:
            self.counts[kind, "lost"] += 1
            return
        seen = _Seen(find=find, correlation_id=_request(), once_a_day=once_a_day)
        self._waiting[kind, who] = seen
        if self._working is None or self._working.done():
            # Of the request that comes first it knows nothing: others are worked on, too.
            self._working = asyncio.create_task(self._work(), context=contextvars.Context())

    async def _work(self) -> None:
        while self._waiting:
            kind, who = next(iter(self._waiting))
            seen = self._waiting.pop((kind, who))
            try:
                became = await self._note(kind, who, seen)
            except (ApplicationError, Refused) as error:
                log.warning("security.not_noted", kind=kind, code=error.code)
                became = "lost"
            except Exception:
                log.exception("security.crashed", kind=kind)
                became = "lost"
            self.counts[kind, "repeated"] += seen.times - 1
            self.counts[kind, became] += 1

    async def _note(self, kind: str, who: str, seen: _Seen) -> str:
        """Note what happened, unless there was enough of it; tell what became of it."""
        window = DAY if seen.once_a_day else HOUR
        times = await self._repeated.count(f"{kind}\0{who}", window, seen.times)
        due = seen.due(times - seen.times, times)
        if due is None:
            return "repeated"
        entry = await seen.find(due)
        concerns = entry.concerns or entry.tenant
        beyond = await self._repeated.count(f"{kind}\0{concerns}", HOUR) - OF_A_LOG_MAX
        if beyond > 0:
            if not is_power_of_ten(beyond):
                return "left_out"
            entry = Entry(tenant=concerns, event=EntriesLeftOut(kind=kind, times=beyond))
        await self._append(entry, seen.correlation_id)
        return "noted"

    async def _append(self, entry: Entry, correlation_id: str) -> None:
        """Append an entry; where books are closed, to the log of what belongs to no company."""
        for tenant in (entry.tenant, SYSTEM_TENANT):
            context = Context(
                tenant=tenant,
                actor=entry.actor,
                permissions=frozenset({EVERYTHING}),
                correlation_id=correlation_id or new_id(self._runtime.clock.now()),
            )
            try:
                await self._runtime.bus.execute(NoteSecurity(entry=entry.event), context)
            except Refused:
                if tenant == SYSTEM_TENANT:
                    raise
                continue
            return

    async def _of_account(
        self,
        email: str,
        tenant: TenantId | None,
        client: Client,
        make: Callable[..., LoginFailed | LockedOut],
        times: int,
    ) -> Entry:
        """Find out whose account it is, and in which log that belongs."""
        vault = self._runtime.vault
        claims = await claims_of(vault, email)
        user = claimed_by(await self._runtime.bus.fold_all(SYSTEM_TENANT, claims))
        if user is None:
            network, account = network_of(client.address), await email_digest(vault, email)
            event = make(account=account, network=network, times=times)
            return Entry(tenant=SYSTEM_TENANT, event=event)
        event = make(user=user, times=times, address=_address(client), agent=_agent(client))
        return Entry(tenant=await self._company(user, tenant), event=event)

    async def _company(self, user: UserId, tenant: TenantId | None = None) -> TenantId:
        """Name the company of a person: the one that was named, where it is one of theirs."""
        bus = self._runtime.bus
        if tenant is not None and (await bus.fold(tenant, Member.at(user=user))).roles:
            return tenant
        enrolled = await bus.fold(SYSTEM_TENANT, Enrolment.at(user=user))
        return enrolled.tenant or SYSTEM_TENANT


_notes: WeakKeyDictionary[Pool, Notes] = WeakKeyDictionary()


def notes_of(runtime: Runtime) -> Notes:
    """Return what writes the security log of a process, made when the first one asks."""
    notes = _notes.get(runtime.pool)
    if notes is None:
        notes = _notes[runtime.pool] = Notes(runtime)
    return notes


async def _as_it_is(entry: Entry, _times: int) -> Entry:
    return entry


def _session(session: str | None) -> SessionId | None:
    return None if session is None else SessionId(session)


def _address(client: Client) -> str | None:
    return UNPRINTABLE.sub("", client.address)[:TEXT_MAX] or None


def _agent(client: Client) -> str | None:
    return UNPRINTABLE.sub("", client.agent)[:TEXT_MAX] or None


def _request() -> str:
    return str(get_contextvars().get("request_id") or "")
