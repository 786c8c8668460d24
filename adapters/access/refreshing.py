"""Sessions that go on, by a refresh token or for another company, and those that are ended."""

from msgspec.structs import replace

from adapters.access.door import Admission, door_of
from adapters.access.login import Entry, Keep, check_member, entry
from adapters.access.sessions import Reused, Session
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
    shown = await sessions.holder(token)
    if shown is not None:  # Before it is replaced, so that nobody refused is left without one.
        await check_member(runtime, shown.user, tenant or shown.acts_for)
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
    if tenant is not None and tenant != opened.session.acts_for:
        await sessions.act_for(opened.session.session, tenant)
        opened = replace(opened, session=replace(opened.session, acts_for=tenant))
    return entry(runtime, opened, keep)


async def act_for(runtime: Runtime, admission: Admission, tenant: TenantId) -> None:
    """Have a session act for another company of the person from now on.

    Raises:
        Forbidden: It is no session: a key acts for one company only.
        Unauthenticated: The person may do nothing for that company.

    """
    session, user = holder(admission)
    await check_member(runtime, user, tenant)
    await door_of(runtime).sessions.act_for(session, tenant)


async def log_out(runtime: Runtime, session: Session) -> None:
    """End a session, whatever its person may by now."""
    if await door_of(runtime).sessions.end(session.session, session.user):
        notes_of(runtime).session_ended(
            session.user, "logout", session=session.session, tenant=session.acts_for
        )


async def session_of(runtime: Runtime, token: str) -> Session:
    """Find the session of a refresh token, be it replaced or not.

    Raises:
        Unauthenticated: It is of no session.

    """
    session = await door_of(runtime).sessions.holder(token)
    if session is None:
        raise _unknown()
    return session


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


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "access.refresh_unknown",
        "No session is shown that goes on: what came is none of ours, or holds no longer.",
        hint="Log in again.",
    )
