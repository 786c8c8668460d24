"""`asiento audit anchor`: signed heads, to be kept where no administrator of ours is."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from adapters.anchors.checking import read_file
from adapters.anchors.evidence import Timestamp, gather, witness
from adapters.anchors.folder import keep_file, timestamp_path
from adapters.anchors.listing import ListedAnchor, list_anchors
from adapters.anchors.making import make, stamp_missing
from adapters.anchors.signing_key import signing_key
from adapters.audit.export import complete
from adapters.cli.options import ReadableFile
from adapters.cli.output import Result, Table, counted, moment
from adapters.cli.session import operator, prepare, with_runtime
from adapters.runtime import Runtime
from application.anchors import Made
from application.errors import Conflict
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
    copy = None if to is None else to.absolute()
    for path in () if copy is None else (copy, timestamp_path(copy)):
        if os.path.lexists(path):
            raise Conflict("anchors.file_exists", f"{path} is there already.", hint="Name another.")

    async def work(runtime: Runtime) -> Result:
        made = await _made(runtime, copy)
        stamped = await stamp_missing(runtime)
        beside = timestamp_path(made.path)
        if copy is not None and beside.exists():
            keep_file(timestamp_path(copy), beside.read_bytes())
        timestamp = witness(runtime.settings, made.path, read_file(made.path))
        done = Anchored(
            number=made.number,
            heads=made.heads,
            digest=made.digest,
            public_key=signing_key(runtime.settings).public_key,
            file=str(copy or made.path),
            timestamp=timestamp,
        )
        people = [
            f"Anchor {done.number} signs {counted(done.heads, 'head')}: {done.file}",
            f"Its digest is {done.digest}.",
        ]
        if stamped.failure is not None:
            people.append(f"{stamped.failure.message} {stamped.failure.hint}")
        return Result(document=done, people=tuple(people))

    return with_runtime(work)


async def _made(runtime: Runtime, copy: Path | None) -> Made:
    """Make an anchor, unless its copy can't be written."""
    if copy is None:
        return await make(runtime, operator(SYSTEM_TENANT))
    with complete(copy) as file:
        made = await make(runtime, operator(SYSTEM_TENANT))
        file.write(read_file(made.path))
    return made


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


def check_anchor(file: ReadableFile, /, *, public_key: PublicKey = None) -> Result:
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
        f"Anchor {found.number} of {moment(found.made_at)} UTC is genuine:"
        f" {counted(len(found.heads), 'head')}, signed by {found.public_key}."
    )
    return Result(document=document, people=(genuine, said_of(evidence.timestamp)))


def said_of(timestamp: Timestamp) -> str:
    """Say what the timestamp is worth."""
    match timestamp.status:
        case "verified":
            return f"A time-stamping authority saw it at {moment(timestamp.at)} UTC."
        case "unverified":
            return (
                f"A timestamp says {moment(timestamp.at)} UTC, but nobody vouches for"
                " it: set TSA_ROOT_CERTIFICATE."
            )
        case "bad":
            return f"The timestamp beside it proves nothing: {timestamp.reason}"
        case "none":
            return "No timestamp lies beside it."


def _row(each: ListedAnchor) -> tuple[object, ...]:
    return (
        each.number,
        moment(each.made_at),
        each.heads,
        each.digest,
        each.status,
        each.timestamp.status,
        each.file,
    )
