"""Second factors of a person: asked for after the password, and shown again to change them.

What an app is given lies in Redis until a first code shows that it has it, and only then counts.
"""

from base64 import b64decode, b64encode
from typing import Annotated, Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, Struct

from adapters.access.behalf import correlation_id
from adapters.accounts import pending
from adapters.accounts.accounts import find_account
from adapters.accounts.passwords import is_password
from adapters.runtime import Runtime
from adapters.sealing import seal, unseal
from adapters.security.limits import attempt, limits_of
from adapters.security.notes import notes_of
from adapters.security.places import caller
from application.accounts import GivenPassword
from application.errors import Forbidden, Malformed, Unauthenticated
from application.factors import (
    OWN,
    code_digest,
    is_totp,
    new_recovery_codes,
    new_secret,
    plain,
    step_of,
    uri_of,
)
from application.kernel import Context, Outcome, build
from domain.access import (
    EnableTotp,
    FactorName,
    Factors,
    MakeRecoveryCodes,
    RecoveryCodesMade,
    RemoveTotp,
    UseRecoveryCode,
    UserId,
    UseTotp,
)
from domain.ids import SYSTEM_TENANT
from domain.kernel import Command, Refused

SEALING_KEY: Final = "totp_secrets"
CODE_LENGTH_MAX: Final = 64
USED: Final = "access.code_used"
MEANING: Final[dict[FactorName, str]] = {
    "totp": "the six digits of your app",
    "recovery_code": "a recovery code",
    "passkey": "a passkey, by /api/v1/login/passkey",
}
Code = Annotated[
    str,
    Meta(
        max_length=CODE_LENGTH_MAX,
        description="Six digits of an app, or a recovery code. Each counts once.",
    ),
]
log = structlog.get_logger()


class Proof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody who is logged in shows once more: one of these is enough."""

    password: GivenPassword | None = None
    code: Code | None = None

    def __repr__(self) -> str:
        return "Proof()"


class TotpOffer(Struct, frozen=True, kw_only=True):
    """What an app is given: by hand, or as a QR code of the address. It is shown once."""

    secret: str
    uri: str
    expires_in: int

    def __repr__(self) -> str:
        return "TotpOffer()"


class RecoveryCodes(Struct, frozen=True, kw_only=True):
    """The codes to keep, shown once. None, where those from before still count."""

    recovery_codes: tuple[str, ...]

    def __repr__(self) -> str:
        return "RecoveryCodes()"


async def factors_of(runtime: Runtime, user: UserId) -> Factors:
    """Read what somebody can show, off the log itself."""
    return await runtime.bus.fold(SYSTEM_TENANT, Factors.at(user=user))


async def check_factor(runtime: Runtime, user: UserId, code: str | None) -> None:
    """See that whoever knows the password shows a second factor too, if there is one.

    Raises:
        Unauthenticated: No code came, or one that is wrong or was used.
        TooMany: There were too many tries.
        Unavailable: Redis, which counts them, is away.

    """
    factors = await factors_of(runtime, user)
    if not factors.asked:
        return
    if code is None:
        ways = [MEANING[name] for name in factors.names]
        raise Unauthenticated(
            "access.second_factor_needed",
            "The password is right, and is not enough.",
            hint=f"Send the same with a `code`, or log in in another way: {' or '.join(ways)}.",
        )
    if not await _is_shown(runtime, user, Proof(code=code)):
        raise Unauthenticated(
            "access.wrong_code",
            "This code is wrong, or it was used before.",
            hint="Wait for the next one of your app, or use another recovery code.",
        )


async def step_up(runtime: Runtime, user: UserId, proof: Proof) -> None:
    """See that it is still the person who is logged in, before something grave.

    Raises:
        Forbidden: Nothing was shown, or something wrong.
        TooMany: There were too many tries.
        Unavailable: Redis, which counts them, is away.

    """
    if proof.code is None and proof.password is None:
        raise Forbidden(
            "access.proof_needed",
            "This needs the password once more, or a code.",
            hint="Send `password`, or `code` with six digits of your app or a recovery code.",
        )
    if not await _is_shown(runtime, user, proof):
        raise Forbidden(
            "access.wrong_proof",
            "This password or code is not right, or the code was used before.",
            hint="Check it, or send the other of the two.",
        )


async def begin_totp(runtime: Runtime, user: UserId) -> TotpOffer:
    """Offer an app a secret, which counts once a code of it was right.

    Raises:
        Refused: Codes of an app are asked for already.
        Unavailable: Redis is away.

    """
    (await factors_of(runtime, user)).check_no_app()
    secret = new_secret()
    account = await find_account(runtime, user)
    await pending.put(runtime, f"totp:{user}", await _seal(runtime, user, secret))
    uri = uri_of(secret, account.email)
    return TotpOffer(secret=secret, uri=uri, expires_in=pending.PENDING_SECONDS)


async def confirm_totp(runtime: Runtime, user: UserId, code: str) -> RecoveryCodes:
    """Ask for codes of the app from here on, once a first one is right.

    Raises:
        Refused: Codes of an app are asked for already.
        Malformed: Nothing was begun, or the code is of another secret.
        Unavailable: Redis is away.

    """
    sealed = await pending.look(runtime, f"totp:{user}")
    if sealed is None:
        raise Malformed(
            "access.nothing_begun",
            "No app is being set up, or its five minutes are over.",
            hint="Begin again, and send a first code of the app.",
        )
    step = await _step(runtime, user, sealed, code)
    if step is None:
        raise Malformed(
            "access.wrong_first_code",
            "This is no code that the app shows now.",
            hint="Check the clock of the device, and send the next code.",
        )
    codes, digests = await new_codes(runtime, user)
    asked = {"secret": sealed, "step": step, "digests": digests}
    done = await execute(runtime, user, EnableTotp, asked)
    await pending.drop(runtime, f"totp:{user}")
    return RecoveryCodes(recovery_codes=kept_codes(done, codes))


async def remove_totp(runtime: Runtime, user: UserId) -> None:
    """Ask for codes of the app no longer."""
    await execute(runtime, user, RemoveTotp, {})


async def make_recovery_codes(runtime: Runtime, user: UserId) -> RecoveryCodes:
    """Put new recovery codes in the place of those from before.

    Raises:
        Refused: There is nothing that they could stand in for.

    """
    codes, digests = await new_codes(runtime, user)
    done = await execute(runtime, user, MakeRecoveryCodes, {"digests": digests})
    return RecoveryCodes(recovery_codes=kept_codes(done, codes))


async def new_codes(runtime: Runtime, user: UserId) -> tuple[tuple[str, ...], list[str]]:
    """Make recovery codes, and what is kept of them."""
    codes = new_recovery_codes()
    return codes, [await code_digest(runtime.vault, user, each) for each in codes]


def kept_codes(done: Outcome, codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return recovery codes where the command kept what it was given of them, else none."""
    made = any(name == RecoveryCodesMade.__name__ for name, _ in done.events)
    return codes if made else ()


async def execute(
    runtime: Runtime, user: UserId, command: type[Command], given: dict[str, object]
) -> Outcome:
    """Run a command of somebody about themselves."""
    by = Context(
        tenant=SYSTEM_TENANT,
        actor=f"user:{user}",
        permissions=frozenset({OWN}),  # And not what the command asks for: some are operators'.
        correlation_id=correlation_id(runtime.clock),
    )
    return await runtime.bus.execute(build(command, {"user": user, **given}, runtime.clock), by)


async def _is_shown(runtime: Runtime, user: UserId, proof: Proof) -> bool:
    """Tell whether a code or a password is right, of which there may be a few tries.

    Raises:
        TooMany: There were too many.
        Unavailable: Redis, which counts them, is away.

    """
    account, client = await find_account(runtime, user), caller()
    tried = await attempt(runtime, "factor", account.email, client)
    if proof.code is not None:
        kind, right = "code", await _counts(runtime, user, proof.code)
    else:
        kept = account.password_hash if account.is_open else None
        kind = "password"
        right = await is_password(kept, proof.password or "", runtime.settings)
    if right:
        await limits_of(runtime).passed(tried, remember=False)
    else:
        notes_of(runtime).factor_failed(account.tenant or SYSTEM_TENANT, user, kind, client)
    return right


async def _counts(runtime: Runtime, user: UserId, code: str) -> bool:
    """Tell whether a code is right; from here on it was used."""
    asked = plain(code)
    totp = (await factors_of(runtime, user)).totp
    try:
        if not is_totp(asked):
            digest = await code_digest(runtime.vault, user, asked)
            await execute(runtime, user, UseRecoveryCode, {"digest": digest})
            return True
        step = await _step(runtime, user, totp.secret, asked) if totp else None
        if totp is None or step is None:
            return False
        await execute(runtime, user, UseTotp, {"secret": totp.secret, "step": step})
    except Refused as refusal:
        if refusal.code != USED:
            raise
        return False
    return True


async def _step(runtime: Runtime, user: UserId, sealed: str, code: str) -> int | None:
    """Find the step of which this is the code, by a sealed secret."""
    secret = await _unseal(runtime, user, sealed)
    return step_of(secret, plain(code), runtime.clock.now()) if secret else None


async def _seal(runtime: Runtime, user: UserId, secret: str) -> str:
    cipher, about = await _cipher(runtime, user)
    return b64encode(seal(cipher, secret.encode(), about)).decode()


async def _unseal(runtime: Runtime, user: UserId, sealed: str) -> str | None:
    cipher, about = await _cipher(runtime, user)
    try:
        return unseal(cipher, b64decode(sealed, validate=True), about).decode()
    except (InvalidTag, ValueError) as error:
        log.warning("totp.secret_unreadable", reason=type(error).__name__)
        return None


async def _cipher(runtime: Runtime, user: UserId) -> tuple[AESGCM, bytes]:
    """Make what seals the secrets of apps, of which the log itself tells nobody."""
    key = await runtime.vault.secret(SYSTEM_TENANT, SEALING_KEY)
    assert key is not None, "Nobody destroys it."
    return AESGCM(key), f"totp secret of {user}".encode()
