"""Letters by which a person shows that an address is theirs, or chooses another password.

Who asks for a password is told the same, as fast, whether there is an account or not: what is done
is the same, and whether a letter goes out is found where letters are sent.
"""

from datetime import timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from adapters.access.behalf import for_one
from adapters.access.door import USER
from adapters.access.login import ADDRESS
from adapters.access.sessions import Client
from adapters.accounts.accounts import find_account, set_password
from adapters.accounts.links import LENGTH_MAX, Links
from adapters.runtime import Runtime
from adapters.security.limits import attempt, limits_of
from adapters.security.places import caller
from application.access import email_digest
from application.accounts import GivenPassword
from application.codec import stored_names
from application.kernel import new_id
from application.ports import QueryItem
from domain.access import (
    AskEmailVerification,
    ChangePassword,
    EmailClaim,
    ForgetPassword,
    LinkId,
    NoteEmailVerified,
    PasswordChanged,
    PasswordForgotten,
    ResetLink,
    UserId,
    VerifyEmail,
    spent,
)
from domain.ids import SYSTEM_TENANT

VERIFICATION_HOLDS: Final = timedelta(days=3)
RESET_HOLDS: Final = timedelta(minutes=30)


class Forgotten(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address whose password somebody forgot."""

    email: Annotated[str, Meta(pattern=ADDRESS, max_length=254)]


class Verification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link by which an address is shown to be somebody's."""

    token: Annotated[str, Meta(max_length=LENGTH_MAX)]

    def __repr__(self) -> str:
        return "Verification()"


class Reset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link, and the password to be known by."""

    token: Annotated[str, Meta(max_length=LENGTH_MAX)]
    password: GivenPassword

    def __repr__(self) -> str:
        return "Reset()"


async def ask_verification(runtime: Runtime, user: UserId, client: Client) -> None:
    """Have a letter sent to a person by which they show that it reached them.

    Raises:
        TooMany: Too many were asked for.

    """
    account = await find_account(runtime, user)
    await attempt(runtime, "verification", account.email, client)
    now = runtime.clock.now()
    command = AskEmailVerification(
        link=LinkId(new_id(now)), user=user, expires_at=now + VERIFICATION_HOLDS
    )
    context = for_one(runtime, AskEmailVerification, actor=f"{USER}{user}")
    await runtime.bus.execute(command, context)


async def verify(runtime: Runtime, given: Verification) -> None:
    """Note that a letter came to whom it was sent.

    Raises:
        Malformed: The link is none of ours.
        Refused: It was used before, or its time is over.

    """
    link = Links(runtime.settings).read("email", given.token)
    command = VerifyEmail(link=LinkId(link), at=runtime.clock.now())
    await runtime.bus.execute(command, for_one(runtime, VerifyEmail))


async def note_verified(runtime: Runtime, user: UserId) -> None:
    """Note that another letter came to whom it was sent."""
    context = for_one(runtime, NoteEmailVerified, actor=f"{USER}{user}")
    await runtime.bus.execute(NoteEmailVerified(user=user), context)


async def forget_password(runtime: Runtime, given: Forgotten, client: Client) -> None:
    """Have a letter sent to the holder of an address, if it has one.

    Raises:
        TooMany: Too many were asked for.

    """
    await attempt(runtime, "reset", given.email, client)
    now = runtime.clock.now()
    command = ForgetPassword(
        link=LinkId(new_id(now)),
        email_digest=await email_digest(runtime.vault, given.email),
        expires_at=now + RESET_HOLDS,
    )
    await runtime.bus.execute(command, for_one(runtime, ForgetPassword))


async def reset_password(runtime: Runtime, given: Reset) -> None:
    """Have the holder of a letter be known by another password, and end all their sessions.

    A link is good until the password changes, by that link or otherwise: of several, and of
    several uses at the same time, one is.

    Raises:
        Malformed: The link is none of ours, or the password may not be chosen.
        Refused: The link is over, or the password was changed since.

    """
    link = Links(runtime.settings).read("password", given.token)
    fold = runtime.bus.fold
    asked = await fold(SYSTEM_TENANT, ResetLink.at(link=link))
    digest = asked.check(runtime.clock.now())
    user = (await fold(SYSTEM_TENANT, EmailClaim.at(email_digest=digest))).user
    if user is None:
        raise spent("is for no account")
    # Read before it is looked whether it was changed: the rule compares it with what is then.
    account = await find_account(runtime, user)
    if not account.is_open or await _has_changed(runtime, link, user):
        raise spent("was used before, or the password was changed since")
    context = for_one(runtime, ChangePassword, actor=f"{USER}{user}")
    kept = account.password_hash
    await set_password(runtime, user, given.password, context, instead_of=kept)
    await note_verified(runtime, user)
    await limits_of(runtime).remember(account.email, caller())


async def _has_changed(runtime: Runtime, link: str, user: UserId) -> bool:
    """Tell whether the password of a person was changed after a link was asked for."""
    read = runtime.store.read
    asking = QueryItem(types=stored_names((PasswordForgotten,)), tags=(f"link:{link}",))
    (asked,) = [each.position async for each in read(SYSTEM_TENANT, [asking])]
    changing = QueryItem(types=stored_names((PasswordChanged,)), tags=(f"user:{user}",))
    found = read(SYSTEM_TENANT, [changing], after=asked, limit=1)
    return bool([each async for each in found])
