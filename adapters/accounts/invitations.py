"""Coming in by an invitation: who is new chooses a password, and who is not shows who they are.

Each step can be done again: whoever was registered when the process died is known by the password
that they chose, and comes in by the same link.
"""

from typing import Annotated

from msgspec import Meta, Struct

from adapters.access.behalf import for_one
from adapters.access.door import USER, door_of
from adapters.access.sessions import Client
from adapters.access.shown import Shown
from adapters.accounts.accounts import account_of, recognise
from adapters.accounts.breached import breached
from adapters.accounts.factors import check_factor
from adapters.accounts.links import LENGTH_MAX, Links, read_invitation
from adapters.accounts.passwords import hashed
from adapters.accounts.recovery import note_verified
from adapters.runtime import Runtime
from adapters.security.limits import attempt, limits_of
from application.access import email_fields
from application.accounts import GivenPassword, check_password
from application.errors import Unauthenticated
from application.kernel import build
from domain.access import AcceptInvitation, Email, Invitation, RegisterUser, UserId
from domain.ids import TenantId
from domain.kernel import Refused

TAKEN = "access.email_taken"


class Acceptance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of an invitation's link, and by what its holder is known."""

    token: Annotated[str, Meta(max_length=LENGTH_MAX)]
    password: Annotated[
        GivenPassword | None,
        Meta(
            description="Who is new chooses it. Who has an account gives theirs, or leaves it out"
            " and is logged in."
        ),
    ] = None
    code: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="With the password of an account that has a second factor."),
    ] = None

    def __repr__(self) -> str:
        return "Acceptance()"


class Accepted(Struct, frozen=True, kw_only=True):
    """Who came in, and for which company they may act from now on."""

    user: UserId
    tenant: TenantId
    position: int


async def accept(runtime: Runtime, given: Acceptance, shown: Shown, client: Client) -> Accepted:
    """Let somebody in by the link of an invitation.

    Raises:
        Malformed: The link is none of ours, or the password may not be chosen.
        Refused: The invitation is over, or the person is a member already.
        Unauthenticated: The address has an account, and its holder is to show that it is theirs.
        TooMany: Too many passwords were tried.

    """
    link = Links(runtime.settings).read("invitation", given.token)
    tenant, name = read_invitation(link)
    now = runtime.clock.now()
    invitation = await runtime.bus.fold(tenant, Invitation.at(invitation=name))
    invitation.check_good(name, now)
    email, user = Email(invitation.email), None
    if await account_of(runtime, email) is None:
        user = await _register(runtime, email, tenant, given.password)
    user = user or await _recognised(runtime, email, given, shown, client)
    await note_verified(runtime, user)
    command = AcceptInvitation(
        invitation=name, user=user, email=email, roles=invitation.roles, at=now
    )
    context = for_one(runtime, AcceptInvitation, tenant=tenant, actor=f"{USER}{user}")
    done = await runtime.bus.execute(command, context)
    return Accepted(user=user, tenant=tenant, position=done.position)


async def _register(
    runtime: Runtime, email: str, tenant: TenantId, password: str | None
) -> UserId | None:
    """Make the account of who is new; None: somebody else made one meanwhile."""
    if password is None:
        raise Unauthenticated(
            "access.password_needed",
            "The address has no account yet.",
            hint="Choose a password, and send it with the token.",
        )
    check_password(password, email, breached(runtime.settings))
    given = {
        **await email_fields(runtime.vault, email),
        "password_hash": await hashed(password, runtime.settings),
        "tenant": tenant,
        "permissions": (),
    }
    command = build(RegisterUser, given, runtime.clock)
    try:
        made = await runtime.bus.execute(command, for_one(runtime, RegisterUser))
    except Refused as refusal:
        if refusal.code != TAKEN:
            raise
        return None
    return UserId(made.ids["user"])


async def _recognised(
    runtime: Runtime, email: str, given: Acceptance, shown: Shown, client: Client
) -> UserId:
    """Name the holder of the account, who shows it by the password or by being logged in."""
    if given.password is not None:
        tried = await attempt(runtime, "login", email, client)
        known = await recognise(runtime, email, given.password)
        if known is not None:
            await check_factor(runtime, known[0], given.code)
            await limits_of(runtime).passed(tried, remember=False)
            return known[0]
    else:
        account = await account_of(runtime, email)
        admission = await door_of(runtime).enter(shown)
        if account and admission and admission.user == account[0]:
            return account[0]
    raise Unauthenticated(
        "access.not_shown",
        "The address has an account, and whoever asks has not shown that it is theirs.",
        hint="Log in as that address, or send its password with the token.",
    )
