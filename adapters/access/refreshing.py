"""Sessions that go on, by a refresh token or for another company, and those that are ended."""

from msgspec.structs import replace

from adapters.access.door import Admission, door_of
from adapters.access.login import Entry, Keep, check_member, entry
from adapters.access.sessions import Opened, Reused
from adapters.runtime import Runtime
from adapters.security.notes import notes_of
from adapters.security.places import caller
from application.errors import Forbidden, Unauthenticated
from domain.access import SessionId, UserId
from domain.ids import TenantId


async def go_on(
    runtime: Runtime, token: str, tenant: TenantId | None = None, keep: Keep = "tokens"
) -> Entry:
    """Give new tokens for a refresh token, which is replaced; *tenant*: for another company.

    Raises:
        Unauthenticated: It is none of ours, has run out or was replaced before; or the person
            may do nothing for the company.

    """
    sessions = door_of(runtime).sessions
    try:
        opened = await sessions.refresh(token)
    except Reused as reused:
        ended = reused.session
        notes_of(runtime).refresh_reused(ended.acts_for, ended.user, ended.session, caller())
        raise Unauthenticated(
            "access.refresh_reused",
            "This refresh token was replaced before, so somebody may have a copy of it.",
            hint="Log in again. The session was ended, for whoever had it.",
        ) from reused
    if opened is None:
        raise _unknown()
    return entry(runtime, await _for(runtime, opened, tenant), keep)


async def act_for(runtime: Runtime, admission: Admission, tenant: TenantId) -> None:
    """Have a session act for another company of the person from now on.

    Raises:
        Forbidden: It is no session: a key acts for one company only.
        Unauthenticated: The person may do nothing for that company.

    """
    session, user = holder(admission)
    await check_member(runtime, user, tenant)
    await door_of(runtime).sessions.act_for(session, tenant)


async def log_out(runtime: Runtime, admission: Admission) -> None:
    """End the session that asks.

    Raises:
        Forbidden: It is a program with a key.

    """
    session, user = holder(admission)
    if await door_of(runtime).sessions.end(session, user):
        company = admission.context.tenant
        notes_of(runtime).session_ended(user, "logout", session=session, tenant=company)


async def log_out_by(runtime: Runtime, token: str) -> None:
    """End the session of a refresh token, be it replaced or not.

    Raises:
        Unauthenticated: It is of no session.

    """
    sessions = door_of(runtime).sessions
    session = await sessions.holder(token)
    if session is None:
        raise _unknown()
    if await sessions.end(session.session, session.user):
        notes_of(runtime).session_ended(
            session.user, "logout", session=session.session, tenant=session.acts_for
        )


async def end_sessions(runtime: Runtime, user: UserId, *, but: SessionId | None = None) -> int:
    """End all sessions of a person, or all but one; return how many there were."""
    ended = await door_of(runtime).sessions.end_all(user, but=but)
    if ended:
        notes_of(runtime).session_ended(user, "ended")
    return ended


def holder(admission: Admission) -> tuple[SessionId, UserId]:
    """Say which session of which person it is that asks.

    Raises:
        Forbidden: It is no person, but a program with a key.

    """
    if admission.session is None or admission.user is None:
        raise Forbidden(
            "access.no_person",
            "This is for people, and an API key is asking.",
            hint="Log in, and send the token of the login.",
        )
    return admission.session, admission.user


async def _for(runtime: Runtime, opened: Opened, tenant: TenantId | None) -> Opened:
    session = opened.session
    acts_for = tenant or session.acts_for
    await check_member(runtime, session.user, acts_for)
    if acts_for != session.acts_for:
        await door_of(runtime).sessions.act_for(session.session, acts_for)
    return replace(opened, session=replace(session, acts_for=acts_for))


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "access.refresh_unknown",
        "This refresh token is none of ours, or holds no longer.",
        hint="Log in again.",
    )
