"""`asiento audit anchor`: signed heads, to be kept where no administrator of ours is."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingFile
from msgspec import Struct

from adapters.anchors.checking import read_file
from adapters.anchors.evidence import Timestamp, gather, witness
from adapters.anchors.folder import keep_file, timestamp_path
from adapters.anchors.listing import ListedAnchor, list_anchors
from adapters.anchors.making import make, stamp_missing
from adapters.anchors.signing_key import signing_key
from adapters.cli.output import Result, Table
from adapters.cli.session import operator, prepare, with_runtime
from adapters.runtime import Runtime
from application.errors import Malformed
from domain.ids import SYSTEM_TENANT

PublicKey = Annotated[
    str | None,
    Parameter(name="--public-key", help="The key you noted, in hex. Left out: the instance's own."),
]


class Anchored(Struct, frozen=True, kw_only=True):
    """An anchor that was made."""

    number: int
    heads: int
    digest: str
    public_key: str
    file: str
    timestamp: Timestamp


def anchor(*, to: Path | None = None) -> Result:
    """Sign the heads of all logs as they are now.

    Args:
        to: Write a copy here too, for somebody outside to keep.

    """
    if to is not None and to.exists():
        raise Malformed(
            "anchors.file_exists", f"{to.name} exists.", hint="Name a file that is not there yet."
        )

    async def work(runtime: Runtime) -> Result:
        made = await make(runtime, operator(SYSTEM_TENANT))
        stamped = await stamp_missing(runtime)
        content = read_file(made.path)
        if to is not None:
            copy(made.path, to)
        timestamp = witness(runtime.settings, made.path, content)
        done = Anchored(
            number=made.number,
            heads=made.heads,
            digest=made.digest,
            public_key=signing_key(runtime.settings).public_key,
            file=str(to or made.path),
            timestamp=timestamp,
        )
        people = [
            f"Anchor {done.number} signs {done.heads:,} heads: {done.file}",
            f"Its digest is {done.digest}.",
        ]
        if stamped.failure is not None:
            people.append(f"{stamped.failure.message} {stamped.failure.hint}")
        return Result(document=done, people=tuple(people))

    return with_runtime(work)


def copy(made: Path, to: Path) -> None:
    """Copy an anchor, and the timestamp beside it."""
    for source, target in ((made, to), (timestamp_path(made), timestamp_path(to))):
        if source.exists():
            keep_file(target.absolute(), source.read_bytes())


def anchors() -> Result:
    """List the anchors there are, in the log and in the folder."""

    async def work(runtime: Runtime) -> Result:
        found = await list_anchors(runtime)
        columns = ("NUMBER", "MADE AT", "HEADS", "DIGEST", "STATUS", "TIMESTAMP", "FILE")
        return Result(document=found, people=(Table(columns, [_row(each) for each in found]),))

    return with_runtime(work)


def anchor_key() -> Result:
    """Print the public key that anchors are checked by. Note it where nobody here can change it."""
    key = signing_key(prepare()).public_key
    return Result(document={"public_key": key}, people=(key,))


def check_anchor(file: ExistingFile, /, *, public_key: PublicKey = None) -> Result:
    """Check the signature of an anchor, and the timestamp beside it.

    Args:
        file: What `asiento audit anchor` made.
        public_key: The key you noted, in hex. Left out: the instance's own.

    """
    evidence = gather(prepare(), file, public_key)
    found = evidence.anchor
    document = {
        "number": found.number,
        "made_at": found.made_at,
        "heads": len(found.heads),
        "digest": evidence.digest,
        "previous": found.previous,
        "public_key": found.public_key,
        "timestamp": evidence.timestamp,
    }
    genuine = (
        f"Anchor {found.number} of {found.made_at:%Y-%m-%d %H:%M:%S} UTC is genuine:"
        f" {len(found.heads):,} heads, signed by {found.public_key}."
    )
    return Result(document=document, people=(genuine, said_of(evidence.timestamp)))


def said_of(timestamp: Timestamp) -> str:
    """Say what the timestamp is worth."""
    match timestamp.status:
        case "verified":
            return f"A time-stamping authority saw it at {timestamp.at:%Y-%m-%d %H:%M:%S} UTC."
        case "unverified":
            return (
                f"A timestamp says {timestamp.at:%Y-%m-%d %H:%M:%S} UTC, but nobody vouches for"
                " it: set TSA_ROOT_CERTIFICATE."
            )
        case "bad":
            return f"The timestamp beside it proves nothing: {timestamp.reason}"
        case "none":
            return "No timestamp lies beside it."


def _row(each: ListedAnchor) -> tuple[object, ...]:
    return (
        each.number,
        f"{each.made_at:%Y-%m-%d %H:%M:%S}",
        each.heads,
        each.digest,
        each.status,
        each.timestamp.status,
        each.file,
    )
