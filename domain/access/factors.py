"""Second factors: what a person shows beside the password, or in its place.

A code of an app (TOTP, RFC 6238) counts once, a recovery code counts once, and so does each
signature of a passkey. Whoever has a factor has recovery codes: a lost device locks nobody out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NewType, TypeAlias

from msgspec.structs import replace

from domain.access.people import UserId
from domain.kernel import Event, Key, Personal, Refused, State, Subject, Value

PasskeyId = NewType("PasskeyId", str)
"""The SHA-256 of what the device calls its credential, in hex."""

FactorName: TypeAlias = Literal["totp", "recovery_code", "passkey"]


class TotpEnabled(Event):
    """Codes of an app are asked for from here on: a first one was right, and is used with that.

    Attributes:
        secret: Of the app, sealed by a key of the instance too: no reader of the log has it.
        step: Half minutes since 1970 (RFC 6238) of the code that was shown.

    """

    user: Key[Subject[UserId]]
    secret: Personal[str]
    step: int
    enabled_at: datetime


class TotpUsed(Event):
    """The code of this step counted, so that none up to it counts again."""

    user: Key[UserId]
    step: int


class TotpRemoved(Event):
    user: Key[UserId]


class RecoveryCodesMade(Event):
    """These count, each once, and none from before. What is kept are keyed hashes, with blanks."""

    user: Key[Subject[UserId]]
    digests: Personal[str]


class RecoveryCodeUsed(Event):
    """The code at this place of those that were made last counted, and does not again."""

    user: Key[UserId]
    place: int


class PasskeyAdded(Event):
    """A device may log this person in.

    Attributes:
        credential: The name that the device gave it, in base64url.
        public_key: COSE (RFC 9052), in base64url.
        sign_count: How often the device has signed; 0 for ever, where it does not count.
        transports: How browsers reach the device, as they said it.

    """

    user: Key[Subject[UserId]]
    passkey: Key[PasskeyId]
    credential: Personal[str]
    public_key: Personal[str]
    sign_count: int
    name: Personal[str]
    transports: tuple[str, ...]
    added_at: datetime


class PasskeyUsed(Event):
    user: Key[UserId]
    passkey: PasskeyId
    sign_count: int
    used_at: datetime


class PasskeyDoubted(Event):
    """It signed, and has counted no further than before: there may be a copy of it."""

    user: Key[UserId]
    passkey: PasskeyId
    sign_count: int
    expected_above: int


class PasskeyRenamed(Event):
    user: Key[Subject[UserId]]
    passkey: PasskeyId
    name: Personal[str]


class PasskeyRemoved(Event):
    user: Key[UserId]
    passkey: Key[PasskeyId]


class FactorsReset(Event):
    """An operator took all factors from somebody who had lost them; the password is enough."""

    user: Key[UserId]
    reason: str


TotpEvent: TypeAlias = TotpEnabled | TotpUsed | TotpRemoved
CodeEvent: TypeAlias = RecoveryCodesMade | RecoveryCodeUsed
PasskeyEvent: TypeAlias = (
    PasskeyAdded | PasskeyUsed | PasskeyDoubted | PasskeyRenamed | PasskeyRemoved
)
FactorEvent: TypeAlias = TotpEvent | CodeEvent | PasskeyEvent | FactorsReset


class Totp(Value):
    """An app that shows codes: its sealed secret, and the last step that counted."""

    secret: Personal[str]
    step: int
    enabled_at: datetime


class Passkey(Value):
    credential: Personal[str]
    public_key: Personal[str]
    sign_count: int
    name: Personal[str]
    transports: tuple[str, ...]
    added_at: datetime
    used_at: datetime | None = None

    def has_counted(self, sign_count: int) -> bool:
        """Tell whether this is further than ever, as far as the device counts at all."""
        return sign_count > self.sign_count or sign_count == self.sign_count == 0


Passkeys: TypeAlias = Mapping[PasskeyId, Passkey]


class Factors(State):
    """What somebody can show beside the password; nothing, where nothing was set up.

    Attributes:
        digests: Of recovery codes, None in the place of each that was used.

    """

    totp: Totp | None = None
    digests: tuple[str | None, ...] = ()
    passkeys: Passkeys = {}

    @property
    def asked(self) -> bool:
        """Whether the password alone is not enough."""
        return self.totp is not None or bool(self.passkeys)

    @property
    def codes_left(self) -> int:
        return sum(each is not None for each in self.digests)

    @property
    def names(self) -> tuple[FactorName, ...]:
        """Name what can be shown now."""
        found: list[FactorName] = []
        if self.totp is not None:
            found.append("totp")
        if self.codes_left:
            found.append("recovery_code")
        if self.passkeys:
            found.append("passkey")
        return tuple(found)

    def check_no_app(self) -> None:
        """Let nobody set up a second app: the first would show codes that count no more."""
        if self.totp is not None:
            raise Refused(
                "access.totp_there",
                "Codes of an app are asked for already.",
                hint="Remove the app first, or go on with it.",
            )

    def evolve(self, event: FactorEvent) -> "Factors":
        match event:
            case TotpEnabled() | TotpUsed() | TotpRemoved():
                changed = replace(self, totp=_totp_after(self.totp, event))
            case RecoveryCodesMade() | RecoveryCodeUsed():
                changed = replace(self, digests=_digests_after(self.digests, event))
            case (
                PasskeyAdded()
                | PasskeyUsed()
                | PasskeyDoubted()
                | PasskeyRenamed()
                | PasskeyRemoved()
            ):
                changed = replace(self, passkeys=_passkeys_after(self.passkeys, event))
            case FactorsReset():
                changed = Factors()
        # Recovery codes stand in for something, or for nothing.
        return changed if changed.asked else Factors()


class PasskeyClaim(State):
    """Whether a device's credential is somebody's already."""

    taken: bool = False

    def evolve(self, event: PasskeyAdded | PasskeyRemoved) -> "PasskeyClaim":
        return PasskeyClaim(taken=isinstance(event, PasskeyAdded))


def _totp_after(totp: Totp | None, event: TotpEvent) -> Totp | None:
    match event:
        case TotpEnabled():
            return Totp(secret=event.secret, step=event.step, enabled_at=event.enabled_at)
        case TotpUsed():
            return totp and replace(totp, step=event.step)
        case TotpRemoved():
            return None


def _digests_after(digests: tuple[str | None, ...], event: CodeEvent) -> tuple[str | None, ...]:
    match event:
        case RecoveryCodesMade():
            return tuple(event.digests.split())
        case RecoveryCodeUsed():
            return tuple(None if i == event.place else each for i, each in enumerate(digests))


def _passkeys_after(passkeys: Passkeys, event: PasskeyEvent) -> Passkeys:
    match event:
        case PasskeyAdded():
            changed = Passkey(
                credential=event.credential,
                public_key=event.public_key,
                sign_count=event.sign_count,
                name=event.name,
                transports=event.transports,
                added_at=event.added_at,
            )
        case PasskeyUsed():
            known = passkeys[event.passkey]
            changed = replace(known, sign_count=event.sign_count, used_at=event.used_at)
        case PasskeyRenamed():
            changed = replace(passkeys[event.passkey], name=event.name)
        case PasskeyDoubted():
            return passkeys
        case PasskeyRemoved():
            return {each: known for each, known in passkeys.items() if each != event.passkey}
    return {**passkeys, event.passkey: changed}
