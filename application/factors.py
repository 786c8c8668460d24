"""Second factors as people show them: codes are read leniently, and what is kept is no code.

An app shows six digits, by RFC 6238 with its usual parameters. A recovery code has 80 random bits.
"""

import secrets
from base64 import b32encode
from datetime import datetime
from hashlib import sha256
from typing import Final

from pyotp import TOTP, random_base32
from pyotp.exceptions import OTPVerificationError

from application.kernel import Exposed
from application.vault import Vault
from domain.access import (
    AddPasskey,
    EnableTotp,
    MakeRecoveryCodes,
    PasskeyId,
    RemovePasskey,
    RemoveTotp,
    RenamePasskey,
    RequireSecondFactor,
    ResetFactors,
    UsePasskey,
    UseRecoveryCode,
    UserId,
    UseTotp,
)

OWN: Final = "access.factor.own"
"""What everybody may who is logged in, whatever their roles: decide on their own factors."""

RESET: Final = "access.factor.reset"
COMMANDS = (
    *(
        Exposed(command=command, permission=OWN, system=True)
        for command in (
            EnableTotp,
            UseTotp,
            RemoveTotp,
            MakeRecoveryCodes,
            UseRecoveryCode,
            AddPasskey,
            UsePasskey,
            RenamePasskey,
            RemovePasskey,
        )
    ),
    Exposed(command=ResetFactors, permission=RESET, system=True),
    Exposed(
        command=RequireSecondFactor, permission="access.policy.change", route="POST /second-factor"
    ),
)

ISSUER: Final = "Asiento"
SKEW_STEPS: Final = 1
"""So many half minutes a device may be off, either way."""

TOTP_DIGITS: Final = 6
CODES: Final = 10
CODE_BYTES: Final = 10
CODE_LENGTH: Final = 16  # Base 32 digits of 10 bytes.
GROUP: Final = 4


def new_secret() -> str:
    """Make the secret of an app: 160 random bits in base 32, as RFC 4226 advises."""
    return random_base32()


def uri_of(secret: str, email: str) -> str:
    """Write what apps read from a QR code."""
    return TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Find the step whose code this is; None: of none around *now*."""
    try:
        return TOTP(secret).verify_and_get_timecode(code, for_time=now, valid_window=SKEW_STEPS)
    except OTPVerificationError:
        return None


def is_totp(code: str) -> bool:
    """Tell the code of an app from a recovery code."""
    return len(code) == TOTP_DIGITS and code.isascii() and code.isdecimal()


def plain(code: str) -> str:
    """Leave out of a code what people put in to read it better."""
    return "".join(code.split()).replace("-", "").upper()


def new_recovery_codes() -> tuple[str, ...]:
    """Make the codes that are shown once."""
    made = (b32encode(secrets.token_bytes(CODE_BYTES)).decode() for _ in range(CODES))
    places = range(0, CODE_LENGTH, GROUP)
    return tuple("-".join(code[i : i + GROUP] for i in places) for code in made)


async def code_digest(vault: Vault, user: UserId, code: str) -> str:
    """Return what is kept of a recovery code: a keyed hash, and another one for each person."""
    return await vault.digest(f"recovery code of {user}: {plain(code)}")


def passkey_id(credential: bytes) -> PasskeyId:
    """Name a passkey by what its device calls it."""
    return PasskeyId(sha256(credential).hexdigest())
