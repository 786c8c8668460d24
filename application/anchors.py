"""Anchors as they are made: read all heads, sign them, keep the file, then note it in the log.

The file comes first: a log that names a file which never was would look like a loss.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from application.bus import Bus
from application.errors import ApplicationError
from application.kernel import EVERYTHING, Context, Exposed
from application.ports import Clock
from domain.anchors import HEADS, AnchorHeads, Anchors, Hex32, Hex64
from domain.ids import SYSTEM_TENANT
from domain.tenants import TenantIdText

FORMAT: Final = "asiento-anchor"
VERSION: Final = 1

COMMANDS = (Exposed(command=AnchorHeads, permission="audit.anchor.make", system=True),)


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of one log: its last position, and the hash there in hex."""

    tenant: TenantIdText
    position: Annotated[int, Meta(ge=1)]
    hash: Hex32


class Statement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed. The heads are sorted by tenant; previous is the digest of the last anchor."""

    format: Literal["asiento-anchor"] = FORMAT
    version: Literal[1] = VERSION
    number: Annotated[int, Meta(ge=1)]
    made_at: datetime
    previous: Hex32 | None
    heads: tuple[Head, ...]
    public_key: Hex32


class Anchor(Statement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement and its signature: what the file holds."""

    signature: Hex64

    @property
    def statement(self) -> Statement:
        fields = {name: getattr(self, name) for name in Statement.__struct_fields__}
        return Statement(**fields)


class TimestampFailed(ApplicationError):
    """The time-stamping authority did not give what was asked for. Ask again later."""

    status = 503


class Heads(Protocol):
    """Sees the end of every log."""

    async def read(self) -> list[Head]:
        """Read all heads at one moment."""
        ...


class Signer(Protocol):
    """Holds the private key."""

    @property
    def public_key(self) -> str:
        """The key to verify by, in hex."""
        ...

    def sign(self, content: bytes) -> str:
        """Return the Ed25519 signature (RFC 8032) in hex."""
        ...


class Keep(Protocol):
    """Where anchors lie."""

    async def put(self, number: int, content: bytes) -> Path:
        """Keep an anchor for good, and return where.

        Raises:
            Unavailable: The disk is full, or the folder closed.

        """
        ...


class Timestamper(Protocol):
    """A witness of the time, by RFC 3161."""

    async def stamp(self, content: bytes) -> bytes:
        """Return a time-stamp response over *content*, in DER.

        Raises:
            TimestampFailed: The authority is away, slow, or answers something else.

        """
        ...


class Made(Struct, frozen=True, kw_only=True):
    """An anchor that was made, and where it lies."""

    number: int
    path: Path
    digest: str
    heads: int


def canonical(value: Struct) -> bytes:
    """Write JSON in the one form of RFC 8785. All text in an anchor is ASCII."""
    return msgspec.json.encode(value, order="sorted")


async def make_anchor(
    bus: Bus, *, heads: Heads, signer: Signer, keep: Keep, clock: Clock, context: Context
) -> Made:
    """Anchor the heads of all logs, that of the reserved tenant as it is before.

    Raises:
        Refused: Another anchor was made meanwhile.
        Unavailable: The file can't be kept, or PostgreSQL is away.

    """
    last = await bus.fold(SYSTEM_TENANT, Anchors.at(chain=HEADS))
    statement = Statement(
        number=last.number + 1,
        made_at=clock.now(),
        previous=last.digest,
        heads=_sorted(await heads.read()),
        public_key=signer.public_key,
    )
    anchor = signed(statement, signer)
    content = canonical(anchor)
    path = await keep.put(anchor.number, content)
    command = AnchorHeads(
        number=anchor.number,
        made_at=anchor.made_at,
        digest=digest(content),
        previous=anchor.previous,
        heads=len(anchor.heads),
        public_key=anchor.public_key,
        signature=anchor.signature,
    )
    await bus.execute(command, replace(context, tenant=SYSTEM_TENANT))
    return Made(number=anchor.number, path=path, digest=command.digest, heads=len(anchor.heads))


def signed(statement: Statement, signer: Signer) -> Anchor:
    """Sign the canonical JSON of *statement*."""
    fields = {name: getattr(statement, name) for name in Statement.__struct_fields__}
    return Anchor(**fields, signature=signer.sign(canonical(statement)))


def digest(content: bytes) -> str:
    """Return what the log and the next anchor keep of a file."""
    return sha256(content).hexdigest()


def by_schedule(correlation_id: str) -> Context:
    """Act for the scheduler."""
    return Context(
        tenant=SYSTEM_TENANT,
        actor="system",
        permissions=frozenset({EVERYTHING}),
        correlation_id=correlation_id,
    )


def _sorted(heads: Iterable[Head]) -> tuple[Head, ...]:
    return tuple(sorted(heads, key=lambda head: head.tenant))
