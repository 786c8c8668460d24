"""Logging in: an address and a password for a session, and each try is counted.

What a session is shown by depends on who asks: a program gets tokens, a browser of ours a cookie
that only opens, and browsers of older pages the tokens as cookies.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from adapters.access.door import USER, door_of
from adapters.access.sessions import Client, Opened
from adapters.accounts.accounts import holds, recognise
from adapters.accounts.companies import home_of
from adapters.accounts.factors import check_factor
from adapters.runtime import Runtime
from adapters.security.limits import attempt, limits_of
from adapters.security.notes import notes_of
from application.accounts import GivenPassword
from application.errors import Unauthenticated
from domain.access import UserId
from domain.ids import TenantId
from domain.tenants import TenantIdText

ADDRESS: Final = r"^[^\s\x00-\x1f@]+@[^\s\x00-\x1f@]+$"
Keep: TypeAlias = Literal["tokens", "session", "cookies"]


class Credentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person logs in with."""

    email: Annotated[str, Meta(pattern=ADDRESS, max_length=254)]
    password: GivenPassword
    tenant: Annotated[
        TenantIdText | None,
        Meta(description="For which one; the one that the person was registered for unless told."),
    ] = None
    code: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="Of the authenticator, or one of the recovery codes."),
    ] = None
    keep: Annotated[
        Keep,
        Meta(
            description="tokens: in the answer. session: a cookie that only opens, for browsers."
            " cookies: the tokens as cookies."
        ),
    ] = "tokens"


class Entry(Struct, frozen=True, kw_only=True):
    """A session that was opened or goes on, and what it is shown by. Secret."""

    opened: Opened
    access_token: str
    csrf_token: str
    keep: Keep

    def __repr__(self) -> str:
        return f"Entry({self.opened!r})"


async def log_in(runtime: Runtime, given: Credentials, client: Client) -> Entry:
    """Open a session for whoever knows the password.

    Raises:
        Unauthenticated: No such account or another password; which one is not said. Or it is
            no member of the tenant, or there is no such tenant.
        TooMany: Too many tries failed.
        Unavailable: Redis, which counts the tries, is away.

    """
    tried = await attempt(runtime, "login", given.email, client)
    known = await recognise(runtime, given.email, given.password)
    if known is None:
        notes_of(runtime).login_failed(given.email, given.tenant, client)
        raise _wrong()
    user, account = known
    await check_factor(runtime, user, given.code)
    tenant, new_place = given.tenant or await home_of(runtime, user, account), not tried.known
    made = await log_in_as(runtime, user, tenant, client, given.keep, new_place=new_place)
    if not await holds(runtime, known):
        # Whoever changed the password ended all sessions there were; this one came a moment later.
        await door_of(runtime).sessions.end(made.opened.session.session, user)
        raise _wrong()
    await limits_of(runtime).passed(tried)
    return made


async def log_in_as(
    runtime: Runtime,
    user: UserId,
    tenant: TenantId,
    client: Client,
    keep: Keep = "tokens",
    *,
    by: str = "password",
    new_place: bool = False,
) -> Entry:
    """Open a session for somebody who has shown who it is, and note it.

    Raises:
        Unauthenticated: It is no member of the tenant, or there is no such tenant.
        Unavailable: It can't be noted.

    """
    await check_member(runtime, user, tenant)
    kind: Literal["browser", "tokens"] = "browser" if keep == "session" else "tokens"
    opened = await door_of(runtime).sessions.open(user, tenant, kind, client)
    session = opened.session.session
    await notes_of(runtime).logged_in(
        tenant, user, client, session=session, by=by, new_place=new_place
    )
    return entry(runtime, opened, keep)


async def check_member(runtime: Runtime, user: UserId, tenant: TenantId) -> None:
    """See that somebody may act for a company.

    Raises:
        Unauthenticated: It may not, or there is no such company.

    """
    if await door_of(runtime).rights(tenant, user) is None:
        raise Unauthenticated(
            "access.no_member",
            "This person may do nothing for the tenant.",
            hint="Name another `tenant`, or ask an owner of it to be admitted.",
        )


def entry(runtime: Runtime, opened: Opened, keep: Keep) -> Entry:
    """Make what a session is shown by."""
    door, session = door_of(runtime), opened.session
    token = door.tokens.sign(
        f"{USER}{session.user}",
        session.acts_for,
        session.session,
        now=runtime.clock.now(),
        seconds=runtime.settings.token_seconds,
    )
    csrf = door.csrf(session.session)
    return Entry(opened=opened, access_token=token, csrf_token=csrf, keep=keep)


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "access.wrong_login",
        "This address and this password don't belong together.",
        hint="Check both, and try again.",
    )
