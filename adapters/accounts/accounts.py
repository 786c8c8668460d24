"""Accounts: found by their address in the log itself, and the passwords by which people are known.

Whoever asks for an account learns nothing by the time it takes: one password is checked whether
there is an account or not.
"""

from typing import Final, TypeAlias

import structlog
from msgspec import Struct

from adapters.access.behalf import for_one
from adapters.access.door import USER, Admission, door_of
from adapters.access.sessions import Client
from adapters.accounts.breached import breached
from adapters.accounts.passwords import hashed, is_outdated, is_password
from adapters.runtime import Runtime
from adapters.security.limits import attempt, limits_of
from adapters.security.notes import notes_of
from application.access import claimed_by, claims_of
from application.accounts import GivenPassword, check_password
from application.errors import ApplicationError, Malformed
from application.kernel import Context
from domain.access import (
    Account,
    ChangePassword,
    RehashPassword,
    SessionId,
    UserId,
)
from domain.ids import SYSTEM_TENANT

NOBODY: Final = UserId("nobody")
"""Whose account is looked for where an address has none, so that as much is read."""

Known: TypeAlias = tuple[UserId, Account]
log = structlog.get_logger()


class PasswordChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password of now, which is shown once more, and the one to come."""

    current: GivenPassword
    new: GivenPassword

    def __repr__(self) -> str:
        return "PasswordChange()"


async def account_of(runtime: Runtime, email: str) -> Known | None:
    """Find the account of an address; None: it has none, or its person was forgotten."""
    # All are read at once, so that it takes as long for any.
    claims = await claims_of(runtime.vault, email)
    user = claimed_by(await runtime.bus.fold_all(SYSTEM_TENANT, claims)) or NOBODY
    account = await find_account(runtime, user)
    return (user, account) if account.is_open else None


async def find_account(runtime: Runtime, user: UserId) -> Account:
    """Read the account of a person; it is not open where there is none."""
    return await runtime.bus.fold(SYSTEM_TENANT, Account.at(user=user))


async def recognise(runtime: Runtime, email: str, password: str) -> Known | None:
    """Find the account whose address and password these are; None: there is none.

    Its hash is made anew where hashes are made otherwise by now.
    """
    settings = runtime.settings
    known = await account_of(runtime, email)
    kept = known[1].password_hash if known else None
    if not await is_password(kept, password, settings) or known is None or kept is None:
        return None
    if is_outdated(kept, settings):
        await _rehash(runtime, known[0], kept, password)
    return known


async def holds(runtime: Runtime, known: Known) -> bool:
    """Tell whether the password by which somebody was recognised is still theirs."""
    user, then = known
    now = await find_account(runtime, user)
    return now.is_open and now.changes == then.changes


async def change_password(
    runtime: Runtime, admission: Admission, given: PasswordChange, client: Client
) -> None:
    """Have the caller be known by another password, and end all sessions but the one that asks.

    Raises:
        Malformed: The password of now is another, or the new one may not be chosen.
        Refused: It was changed meanwhile.
        TooMany: Too many passwords were tried, be it here or to log in.
        Unavailable: Too many passwords are being checked, or Redis is away.

    """
    user = admission.user
    assert user is not None, "A person asks."
    account = await find_account(runtime, user)
    tried = await attempt(runtime, "login", account.email, client)
    kept = account.password_hash if account.is_open else None
    if not await is_password(kept, given.current, runtime.settings):
        raise Malformed(
            "access.wrong_password",
            "The current password is another one.",
            hint="Send the one that you log in with; or have it reset.",
        )
    await limits_of(runtime).passed(tried, remember=False)
    context = for_one(runtime, ChangePassword, actor=f"{USER}{user}")
    await set_password(runtime, user, given.new, context, instead_of=kept, but=admission.session)


async def set_password(
    runtime: Runtime,
    user: UserId,
    password: str,
    context: Context,
    *,
    instead_of: str | None = None,
    but: SessionId | None = None,
) -> None:
    """Have a person be known by a password from now on, and end their sessions *but* one.

    Raises:
        Malformed: The password may not be chosen.
        Refused: There is no such account, or its password is not that of the hash *instead_of*.
        Unavailable: Too many passwords are being checked.

    """
    account = await find_account(runtime, user)
    check_password(password, account.email, breached(runtime.settings))
    kept = await hashed(password, runtime.settings)
    command = ChangePassword(user=user, password_hash=kept, instead_of=instead_of)
    await runtime.bus.execute(command, context)
    if await door_of(runtime).sessions.end_all(user, but=but):
        notes_of(runtime).session_ended(user, "password")


async def _rehash(runtime: Runtime, user: UserId, kept: str, password: str) -> None:
    """Keep another hash of the same password. It can wait where it can't be done now."""
    try:
        new = await hashed(password, runtime.settings)
        command = RehashPassword(user=user, password_hash=new, instead_of=kept)
        context = for_one(runtime, RehashPassword, actor=f"{USER}{user}")
        await runtime.bus.execute(command, context)
    except ApplicationError as error:
        log.warning("password.not_rehashed", reason=error.code)
