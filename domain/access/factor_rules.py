"""What may be asked about second factors: each is set up, counts once at a time, and is removed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta

from domain.access.factors import (
    FactorEvent,
    Factors,
    FactorsReset,
    Passkey,
    PasskeyAdded,
    PasskeyClaim,
    PasskeyDoubted,
    PasskeyId,
    PasskeyRemoved,
    PasskeyRenamed,
    PasskeyUsed,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    TotpEnabled,
    TotpRemoved,
    TotpUsed,
)
from domain.access.people import UserId
from domain.kernel import Boundary, Command, Filled, Refused

PASSKEYS_MAX: Final = 20
Digests: TypeAlias = Annotated[tuple[str, ...], Meta(min_length=1, max_length=20)]
PasskeyName: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="Such as `my phone`.")
]


class _OfOne(Command):
    """A command about the factors of one person."""

    user: UserId

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of any state.
        return (Factors.at(user=self.user),)


class EnableTotp(_OfOne):
    """Ask for codes of an app; the code of *step* was right. The digests are for the first."""

    secret: str
    step: int
    digests: Digests
    enabled_at: Filled[datetime]

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        factors.check_no_app()
        yield TotpEnabled(
            user=self.user, secret=self.secret, step=self.step, enabled_at=self.enabled_at
        )
        yield from _first_codes(self.user, factors, self.digests)


class UseTotp(_OfOne):
    """Let a code count that was right by this secret. Of two at once, one does."""

    secret: str
    step: int

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        totp = factors.totp
        if totp is None or totp.secret != self.secret or self.step <= totp.step:
            raise _used()
        yield TotpUsed(user=self.user, step=self.step)


class RemoveTotp(_OfOne):
    """Ask for codes of the app no longer. Removed again, nothing happens."""

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        if factors.totp is not None:
            yield TotpRemoved(user=self.user)


class MakeRecoveryCodes(_OfOne):
    """Put new codes in the place of all from before."""

    digests: Digests

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        if not factors.asked:
            raise Refused(
                "access.no_factor",
                "There is no second factor that recovery codes could stand in for.",
                hint="Set up an app or a passkey; codes come with it.",
            )
        yield RecoveryCodesMade(user=self.user, digests=" ".join(self.digests))


class UseRecoveryCode(_OfOne):
    """Let a code count that has this digest. Of two at once, one does."""

    digest: str

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        if self.digest not in factors.digests:
            raise _used()
        yield RecoveryCodeUsed(user=self.user, place=factors.digests.index(self.digest))


class AddPasskey(_OfOne):
    """Let a device log this person in. The digests are for the first factor."""

    passkey: PasskeyId
    credential: str
    public_key: str
    sign_count: int
    name: PasskeyName
    transports: Annotated[tuple[str, ...], Meta(max_length=10)]
    digests: Digests
    added_at: Filled[datetime]

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of any state.
        return (*super().boundary(), PasskeyClaim.at(passkey=self.passkey))

    def decide(self, factors: Factors, claim: PasskeyClaim) -> Iterator[FactorEvent]:
        if claim.taken:
            raise Refused(
                "access.passkey_taken",
                "This passkey is known already.",
                hint="Log in by it, or make another one.",
            )
        if len(factors.passkeys) >= PASSKEYS_MAX:
            raise Refused(
                "access.too_many_passkeys",
                f"There are {PASSKEYS_MAX} passkeys already.",
                hint="Remove one that is used no more.",
            )
        yield PasskeyAdded(
            user=self.user,
            passkey=self.passkey,
            credential=self.credential,
            public_key=self.public_key,
            sign_count=self.sign_count,
            name=self.name,
            transports=self.transports,
            added_at=self.added_at,
        )
        yield from _first_codes(self.user, factors, self.digests)


class UsePasskey(_OfOne):
    """Let a signature count, or note that there may be a copy of what signed it."""

    passkey: PasskeyId
    sign_count: int
    used_at: Filled[datetime]

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        known = _known(factors, self.passkey)
        if known.has_counted(self.sign_count):
            yield PasskeyUsed(
                user=self.user,
                passkey=self.passkey,
                sign_count=self.sign_count,
                used_at=self.used_at,
            )
        else:
            yield PasskeyDoubted(
                user=self.user,
                passkey=self.passkey,
                sign_count=self.sign_count,
                expected_above=known.sign_count,
            )


class RenamePasskey(_OfOne):
    """Call a passkey something else. Called so already, nothing happens."""

    passkey: PasskeyId
    name: PasskeyName

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        if _known(factors, self.passkey).name != self.name:
            yield PasskeyRenamed(user=self.user, passkey=self.passkey, name=self.name)


class RemovePasskey(_OfOne):
    """Let a device log this person in no longer."""

    passkey: PasskeyId

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        _known(factors, self.passkey)
        yield PasskeyRemoved(user=self.user, passkey=self.passkey)


class ResetFactors(_OfOne):
    """Take all factors from somebody who lost them. Where there is none, nothing happens."""

    reason: Annotated[
        str,
        Meta(min_length=1, max_length=500, description="It stays in the log: name nobody in it."),
    ]

    def decide(self, factors: Factors) -> Iterator[FactorEvent]:
        if factors.asked:
            yield FactorsReset(user=self.user, reason=self.reason)


def _first_codes(user: UserId, factors: Factors, digests: Digests) -> Iterator[FactorEvent]:
    """Make recovery codes with a factor, where none are left of former ones."""
    if not factors.codes_left:
        yield RecoveryCodesMade(user=user, digests=" ".join(digests))


def _known(factors: Factors, passkey: PasskeyId) -> Passkey:
    known = factors.passkeys.get(passkey)
    if known is None:
        raise Refused(
            "access.passkey_absent", f"There is no passkey {passkey}.", hint="List the passkeys."
        )
    return known


def _used() -> Refused:
    return Refused(
        "access.code_used", "This code does not count, or not again.", hint="Wait for the next one."
    )
