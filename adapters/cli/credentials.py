"""`asiento credentials` and `asiento token`: what opens the systems outside, and what it opens.

A secret comes from a file or from stdin, never as an argument: those stand in the list of
processes and in the history of the shell.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from msgspec import Struct

from adapters.cli.derived import outcome_shown
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table, moment
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.runtime import Runtime
from application.codec import decode
from application.credentials import AccessToken
from application.errors import Malformed, NotFound
from application.kernel import Outcome, build
from application.ports import QueryItem
from domain.credentials import (
    CREDENTIALS,
    SECRET_CHARACTERS_MAX,
    Credential,
    CredentialName,
    CredentialStored,
    CredentialUsed,
    Fingerprint,
    Kind,
    RevokeCredential,
    RotateCredential,
    StoreCredential,
    check,
)
from domain.ids import TenantId
from domain.kernel import Command

STDIN: Final = Path("-")
NameOption = Annotated[str, Parameter(help="What it is called.")]
SecretOption = Annotated[
    Path,
    Parameter(
        name="--secret",
        allow_leading_hyphen=True,
        help="A file that holds the secret, or - for stdin.",
    ),
]
ExpiryOption = Annotated[
    datetime | None,
    Parameter(
        name="--expires-at",
        help="When the system outside takes it no more, such as"
        " 2027-05-02. It is warned of, and stops nothing.",
    ),
]


class ListedCredential(Struct, frozen=True, kw_only=True):
    """A credential, all but its secret. Expires: in so many days, or ago; None: nobody said."""

    credential: CredentialName
    kind: Kind
    version: int
    fingerprint: Fingerprint
    status: str
    expires_at: datetime | None
    expires_in_days: int | None
    warning: str | None
    last_used_at: datetime | None
    last_used_for: str | None
    last_used_by: str | None


class GivenToken(Struct, frozen=True, kw_only=True):
    """An access token, and until when it is good."""

    token: str
    kind: str
    expires_at: datetime


def store(
    name: NameOption,
    /,
    *,
    tenant: TenantOption,
    kind: Annotated[Kind, Parameter(help="What kind of secret it is.")],
    secret: SecretOption,
    expires_at: ExpiryOption = None,
) -> Result:
    """Keep what opens a system outside, under a name."""
    given = {
        "credential": name,
        "kind": kind,
        "secret": _read(secret),
        "expires_at": _aware(expires_at),
    }
    return _done(tenant, StoreCredential, given)


def rotate(
    name: NameOption,
    /,
    *,
    tenant: TenantOption,
    secret: SecretOption,
    expires_at: ExpiryOption = None,
) -> Result:
    """Put a new version in the place of the current one, whose secret is destroyed."""
    given = {"credential": name, "secret": _read(secret), "expires_at": _aware(expires_at)}
    return _done(tenant, RotateCredential, given)


def revoke(name: NameOption, /, *, tenant: TenantOption) -> Result:
    """Let a credential open nothing more, and destroy its secret."""
    return _done(tenant, RevokeCredential, {"credential": name})


def list_all(
    *,
    tenant: TenantOption,
    expiring: Annotated[
        int | None, Parameter(help="Only those that expire within so many days, or have.")
    ] = None,
) -> Result:
    """List the credentials of a tenant, without a secret, and warn of those that expire."""

    async def work(runtime: Runtime) -> list[ListedCredential]:
        owner = await find_tenant(runtime, tenant)
        names = await _stored(runtime, owner)
        return [await _listed(runtime, owner, name) for name in sorted(names)]

    found = with_runtime(work)
    if expiring is not None:
        found = [
            each
            for each in found
            if each.expires_in_days is not None and each.expires_in_days <= expiring
        ]
    columns = ("CREDENTIAL", "KIND", "VERSION", "FINGERPRINT", "STATUS", "EXPIRES")
    used = ("LAST USED", "FOR", "BY", "WARNING")
    return Result(document=found, people=(Table((*columns, *used), [_row(e) for e in found]),))


def get_token(
    name: NameOption,
    /,
    *,
    tenant: TenantOption,
    scope: Annotated[
        list[str] | None, Parameter(help="What the token is for; again for each scope.")
    ] = None,
    purpose: Annotated[
        str, Parameter(name="--for", help="What the log is to say that it is used for.")
    ] = "the command line",
) -> Result:
    """Print an access token that is good for a while yet, and nothing else."""

    async def work(runtime: Runtime) -> AccessToken:
        context = operator(await find_tenant(runtime, tenant))
        scopes: Sequence[str] = scope or ()
        return await runtime.tokens.valid(
            context, CredentialName(name), purpose=purpose, scopes=scopes
        )

    token = with_runtime(work)
    given = GivenToken(token=token.text, kind=token.kind, expires_at=token.expires_at)
    return Result(document=given, people=(token.text,))


def _done(tenant: str, command: type[Command], given: Mapping[str, object]) -> Result:
    async def work(runtime: Runtime) -> Outcome:
        owner = await find_tenant(runtime, tenant)
        fields = dict(given)
        if command is RotateCredential:
            # It is said again, and the log knows it.
            name = CredentialName(str(given["credential"]))
            credential = await runtime.bus.fold(owner, Credential.at(credential=name))
            check(credential, name)
            fields["kind"] = credential.kind
        return await runtime.bus.execute(build(command, fields, runtime.clock), operator(owner))

    return outcome_shown(with_runtime(work))


def _read(path: Path) -> str:
    """Read a secret. What ends it is no part of it."""
    try:
        file = sys.stdin.buffer if path == STDIN else path.open("rb")
        with file:
            text = file.read(4 * SECRET_CHARACTERS_MAX + 1).decode()
    except OSError as error:
        raise NotFound(
            "credentials.unreadable_file",
            f"{path} can't be read: {error.strerror}.",
            hint="Name a file that is there and that you may read, or - for stdin.",
        ) from None
    except UnicodeDecodeError:
        raise Malformed(
            "credentials.no_text",
            f"{path} holds no text in UTF-8.",
            hint="Encode what is binary, such as in Base64.",
        ) from None
    return text.rstrip("\r\n")


def _aware(at: datetime | None) -> datetime | None:
    """Take a time without a zone as UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


async def _stored(runtime: Runtime, tenant: TenantId) -> set[CredentialName]:
    """Read the names off the log itself, which needs no projector."""
    query = [QueryItem(types=(CredentialStored.__name__,), tags=(CREDENTIALS,))]
    events = [decode(stored) async for stored in runtime.store.read(tenant, query)]
    return {event.credential for event in events if isinstance(event, CredentialStored)}


async def _listed(runtime: Runtime, tenant: TenantId, name: CredentialName) -> ListedCredential:
    credential = await runtime.bus.fold(tenant, Credential.at(credential=name))
    now, ends = runtime.clock.now(), credential.expires_at
    query = [QueryItem(types=(CredentialUsed.__name__,), tags=(f"credential:{name}",))]
    uses = [
        (stored.actor, decode(stored))
        async for stored in runtime.store.read(tenant, query, limit=1, backwards=True)
    ]
    actor, use = uses[0] if uses else (None, None)
    assert use is None or isinstance(use, CredentialUsed), "It is asked for by type."
    return ListedCredential(
        credential=name,
        kind=credential.kind,
        version=credential.version,
        fingerprint=credential.fingerprint,
        status=credential.status,
        expires_at=ends,
        expires_in_days=None if ends is None else (ends - now).days,
        warning=_warning(credential, now, runtime.settings.credential_warn_days),
        last_used_at=use.at if use else None,
        last_used_for=use.purpose if use else None,
        last_used_by=actor,
    )


def _warning(credential: Credential, now: datetime, warn_days: int) -> str | None:
    """Say what somebody should look at."""
    ends = credential.expires_at
    if credential.status != "active" or ends is None or ends > now + timedelta(days=warn_days):
        return None
    if ends <= now:
        return "expired"
    return f"expires in {(ends - now).days} days"


def _row(each: ListedCredential) -> tuple[object, ...]:
    about = (each.credential, each.kind, each.version, each.fingerprint, each.status)
    used = (moment(each.last_used_at), each.last_used_for, each.last_used_by)
    return (*about, moment(each.expires_at), *used, each.warning)
