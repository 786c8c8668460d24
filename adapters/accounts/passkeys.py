"""Passkeys (WebAuthn level 3): a device signs a challenge of ours, and that is both factors.

A challenge is for one purpose and counts once. Who logs in names nobody: the device says whose its
passkey is, so that nothing that is asked tells whether somebody has an account.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import structlog
from msgspec import Meta, Struct, field, to_builtins
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, options_to_json_dict, parse_client_data_json
from webauthn.helpers.exceptions import InvalidAuthenticationResponse
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from adapters.accounts.accounts import find_account
from adapters.accounts.challenges import CHALLENGE_SECONDS, counts, is_ours, new_challenge
from adapters.accounts.factors import RecoveryCodes, execute, factors_of, kept_codes, new_codes
from adapters.runtime import Runtime
from adapters.security.notes import notes_of
from adapters.security.places import caller
from adapters.settings import Settings
from application.codec import check_tag
from application.errors import ApplicationError, Malformed, Unauthenticated
from application.factors import ISSUER, passkey_id
from domain.access import (
    AddPasskey,
    Factors,
    Passkey,
    PasskeyDoubted,
    PasskeyId,
    PasskeyName,
    UsePasskey,
    UserId,
)
from domain.ids import TenantId
from domain.kernel import Refused

BYTES_MAX: Final = 20_000
LOGIN: Final = "passkey login"
USER_HANDLE_BYTES_MAX: Final = 64
REASON_LENGTH_MAX: Final = 200
VERIFIED: Final = UserVerificationRequirement.REQUIRED
Base64Url: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]*$(?!\n)", max_length=BYTES_MAX)]
Options: TypeAlias = dict[str, Any]  # Any: JSON, as browsers read it.
Transport: TypeAlias = Annotated[str, Meta(max_length=20)]
log = structlog.get_logger()


class Assertion(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a device signed to log somebody in."""

    client_data: Base64Url = field(name="clientDataJSON")
    authenticator_data: Base64Url
    signature: Base64Url
    user_handle: Base64Url | None = None


class Attestation(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a device says of a passkey that it made."""

    client_data: Base64Url = field(name="clientDataJSON")
    attestation_object: Base64Url
    transports: Annotated[tuple[Transport, ...], Meta(max_length=10)] = ()


class _Credential(Struct, frozen=True, kw_only=True, rename="camel"):
    id: Base64Url
    raw_id: Base64Url
    type: Literal["public-key"]


class SignedCredential(_Credential, frozen=True, kw_only=True, rename="camel"):
    """What ``navigator.credentials.get`` gives, by its ``toJSON``."""

    response: Assertion


class MadeCredential(_Credential, frozen=True, kw_only=True, rename="camel"):
    """What ``navigator.credentials.create`` gives, by its ``toJSON``."""

    response: Attestation


class NewPasskey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey that a device made, and what its owner calls it."""

    name: PasskeyName
    credential: MadeCredential


class AddedPasskey(RecoveryCodes, frozen=True, kw_only=True):
    """The passkey, and recovery codes where none were left of former ones."""

    passkey: PasskeyId


class ShownPasskey(Struct, frozen=True, kw_only=True):
    """A passkey as its owner sees it."""

    passkey: PasskeyId
    name: str
    transports: tuple[str, ...]
    added_at: datetime
    used_at: datetime | None


class Site(Struct, frozen=True, kw_only=True):
    """Where passkeys are good: for a domain, on pages of these origins."""

    rp_id: str
    origins: tuple[str, ...]


def site_of(settings: Settings) -> Site:
    """Tell where passkeys are good, by what is set, or else on this machine."""
    public = settings.public_url or f"http://localhost:{settings.port}"
    parts = urlsplit(public)
    given = [each.strip() for each in (settings.passkey_origins or "").split(",")]
    origins = [each for each in given if each] or [f"{parts.scheme}://{parts.netloc}"]
    return Site(rp_id=settings.passkey_rp_id or parts.hostname or "", origins=tuple(origins))


def login_options(runtime: Runtime) -> Options:
    """Give a challenge to whoever asks. It names nobody and no passkey."""
    options = generate_authentication_options(
        rp_id=site_of(runtime.settings).rp_id,
        challenge=new_challenge(runtime, LOGIN),
        timeout=CHALLENGE_SECONDS * 1_000,
        user_verification=VERIFIED,
    )
    return options_to_json_dict(options)


async def check_passkey(runtime: Runtime, credential: SignedCredential) -> tuple[UserId, TenantId]:
    """Tell who logs in, and who enrolled them, once their passkey signed a challenge of ours.

    Raises:
        Unauthenticated: It did not; why is not said. Or there may be a copy of it.
        Unavailable: Redis is away.

    """
    response = credential.response
    with _refusing(_wrong()):
        challenge = _challenge(runtime, LOGIN, response.client_data)
        user = _user(response.user_handle or "")
        passkey = passkey_id(base64url_to_bytes(credential.raw_id))
    known = (await factors_of(runtime, user)).passkeys.get(passkey)
    account = await find_account(runtime, user)
    if known is None or not account.is_open or account.tenant is None:
        raise _wrong()
    with _refusing(_wrong()):
        count = signed(site_of(runtime.settings), credential, challenge, known)
    if not await counts(runtime, challenge):
        raise _wrong()
    try:
        done = await execute(runtime, user, UsePasskey, {"passkey": passkey, "sign_count": count})
    except Refused as refusal:  # It was removed at this very moment.
        raise _wrong() from refusal
    if any(name == PasskeyDoubted.__name__ for name, _ in done.events):
        notes_of(runtime).factor_failed(account.tenant, user, "passkey", caller())
        raise Unauthenticated(
            "access.doubted_passkey",
            "This passkey has counted no further than before: there may be a copy of it.",
            hint="Log in in another way, remove the passkey and make a new one.",
        )
    return user, account.tenant


def signed(site: Site, credential: SignedCredential, challenge: bytes, known: Passkey) -> int:
    """Verify a signature, and return how far the passkey has counted.

    Raises:
        WebAuthnException: It is none of this passkey for this challenge and this site.

    """
    verified = verify_authentication_response(
        credential=to_builtins(credential),
        expected_challenge=challenge,
        expected_rp_id=site.rp_id,
        expected_origin=list(site.origins),
        credential_public_key=base64url_to_bytes(known.public_key),
        credential_current_sign_count=0,  # The rule compares it, where it is appended.
        require_user_verification=True,
    )
    return verified.new_sign_count


async def adding_options(runtime: Runtime, user: UserId) -> Options:
    """Give somebody what their device needs to make a passkey."""
    account = await find_account(runtime, user)
    factors = await factors_of(runtime, user)
    options = generate_registration_options(
        rp_id=site_of(runtime.settings).rp_id,
        rp_name=ISSUER,
        user_id=user.encode(),
        user_name=account.email,
        challenge=new_challenge(runtime, _adding(user)),
        timeout=CHALLENGE_SECONDS * 1_000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=VERIFIED
        ),
        exclude_credentials=[_descriptor(each) for each in factors.passkeys.values()],
    )
    return options_to_json_dict(options)


async def add_passkey(runtime: Runtime, user: UserId, given: NewPasskey) -> AddedPasskey:
    """Let a device log its owner in.

    Raises:
        Malformed: What it made is no passkey for this site and this challenge.
        Refused: The passkey is known already, or there are too many.
        Unavailable: Redis is away.

    """
    response, site = given.credential.response, site_of(runtime.settings)
    with _refusing(_bad()):
        challenge = _challenge(runtime, _adding(user), response.client_data)
        made = verify_registration_response(
            credential=to_builtins(given.credential),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            require_user_verification=True,
        )
    if not await counts(runtime, challenge):
        raise _bad()
    passkey = passkey_id(made.credential_id)
    codes, digests = await new_codes(runtime, user)
    asked: dict[str, object] = {
        "passkey": passkey,
        "credential": bytes_to_base64url(made.credential_id),
        "public_key": bytes_to_base64url(made.credential_public_key),
        "sign_count": made.sign_count,
        "name": given.name,
        "transports": _transports(response.transports),
        "digests": digests,
    }
    done = await execute(runtime, user, AddPasskey, asked)
    return AddedPasskey(passkey=passkey, recovery_codes=kept_codes(done, codes))


def passkeys_in(factors: Factors) -> list[ShownPasskey]:
    """Show somebody's passkeys, in the order in which they were added."""
    return [
        ShownPasskey(
            passkey=passkey,
            name=each.name,
            transports=each.transports,
            added_at=each.added_at,
            used_at=each.used_at,
        )
        for passkey, each in factors.passkeys.items()
    ]


def _challenge(runtime: Runtime, purpose: str, client_data: str) -> bytes:
    """Read which challenge was signed, if it is one of ours for this purpose."""
    told = parse_client_data_json(base64url_to_bytes(client_data))
    if told.cross_origin or not is_ours(runtime, purpose, told.challenge):
        raise InvalidAuthenticationResponse(
            "It is none of our challenges, or in a frame of others."
        )
    return told.challenge


def _user(handle: str) -> UserId:
    """Read whose passkey it is, as the device says; it was told when it made the passkey."""
    told = base64url_to_bytes(handle)
    if len(told) > USER_HANDLE_BYTES_MAX:
        raise InvalidAuthenticationResponse("It is nobody's.")
    user = UserId(told.decode())
    check_tag(user)
    return user


def _descriptor(known: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        id=base64url_to_bytes(known.credential),
        transports=[AuthenticatorTransport(each) for each in known.transports],
    )


def _transports(given: tuple[str, ...]) -> list[str]:
    """Keep those that there are; browsers may send others, of later times."""
    known = {each.value for each in AuthenticatorTransport}
    return [each for each in given if each in known]


@contextmanager
def _refusing(refusal: ApplicationError) -> Iterator[None]:
    """Answer whatever is wrong with the bytes of a stranger with the one same refusal."""
    try:
        yield
    except Exception as error:  # The parsers of the library break in many ways.
        reason = ascii(f"{type(error).__name__}: {error}")[:REASON_LENGTH_MAX]
        log.info("passkey.refused", code=refusal.code, reason=reason)
        raise refusal from error


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "access.wrong_passkey",
        "This passkey does not log anybody in here.",
        hint="Ask for new options and sign again, or log in by address and password.",
    )


def _bad() -> Malformed:
    return Malformed(
        "access.bad_passkey",
        "This is no passkey that was made for this site, and for the options given last.",
        hint="Ask for new options, and send what the device makes of them within five minutes.",
    )


def _adding(user: UserId) -> str:
    return f"passkey of {user}"
