"""Write the log of a tenant into one file that can be checked and read without a database.

It is written under another name and renamed when it is complete, so that a file of the given
name is always a whole one. Only its owner can read it: there may be keys in it, or names.
"""

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import msgspec
import psycopg
from msgspec import Struct

from adapters.audit.chain import Chain, Finding, Problem, Progress, silent
from adapters.audit.form import (
    ENCODER,
    Anchored,
    Header,
    KeyLine,
    Line,
    Trailer,
    described,
    written,
)
from adapters.audit.log import read_head, reading
from adapters.audit.recipe import FIRST_LINK, Record, Unfit
from adapters.audit.registry import Owner
from adapters.audit.rows import read_rows
from adapters.postgres.connections import unavailable
from adapters.postgres.copied import Connection
from adapters.private import open_private
from application.codec import event_types
from application.errors import Conflict, NotFound, Unavailable
from application.ports import Clock
from domain.ids import TenantId

PACKING: Final = 3
"""Of zlib's levels the last one that keeps up with the database."""

GZIP: Final = 31
PIECE_BYTES: Final = 1 << 20
PART: Final = ".part"

Keys: TypeAlias = Callable[[Connection, TenantId], Iterable[KeyLine]]
"""What of the keys of data subjects goes into the file."""


def no_keys(_connection: Connection, _tenant: TenantId) -> Iterable[KeyLine]:
    """Leave what is sealed sealed, for ever if the instance is gone."""
    return ()


class Exported(Struct, frozen=True, kw_only=True):
    """What was written. The head and the SHA-256 of the file are in hex.

    Not ok: the log is broken where it says, and so is the file, which holds it as it is.
    """

    tenant: str
    file: str
    events: int
    ok: bool
    first_bad: int | None
    problem: Problem | None
    reason: str | None
    head: str
    sha256: str
    size_bytes: int


def export(
    url: str,
    owner: Owner,
    to: Path,
    *,
    clock: Clock,
    anchors: Iterable[Anchored] = (),
    keys: Keys = no_keys,
    archive: bool = False,
    force: bool = False,
    on_progress: Progress = silent,
) -> Exported:
    """Write the log of *owner* to the file *to*, which must not be there unless with *force*.

    The chain is recomputed on the way.

    Raises:
        Conflict: The file is there, or an event can't be written.
        NotFound: The folder of the file is not there.
        Unavailable: The disk is full, or PostgreSQL away.

    """
    if not force and _is_there(to):
        raise _exists(to)
    try:
        with complete(to) as file, reading(url, owner.tenant) as connection:
            paper = _Paper(file, _header(owner, clock, anchors, archive=archive))
            found = _write_events(paper, connection, owner.tenant, on_progress)
            for line in keys(connection, owner.tenant):
                paper.write(line)
            paper.close()
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    except Unfit as error:
        raise _unfit(error) from error
    return _exported(owner, to, paper, found)


def _exported(owner: Owner, to: Path, paper: "_Paper", found: Finding | None) -> Exported:
    return Exported(
        tenant=owner.tenant,
        file=str(to),
        events=paper.events,
        ok=found is None,
        first_bad=found.position if found else None,
        problem=found.problem if found else None,
        reason=found.reason if found else None,
        head=paper.link.hex(),
        sha256=paper.file_sha256,
        size_bytes=to.stat().st_size,
    )


def _is_there(to: Path) -> bool:
    try:
        return to.exists()
    except OSError:  # Its folder is closed, as writing there will say.
        return False


def _exists(to: Path) -> Conflict:
    return Conflict(
        "audit.file_exists", f"{to.absolute()} is there already.", hint="Name another, or --force."
    )


def _unfit(error: Unfit) -> Conflict:
    return Conflict(
        "audit.unfit_log",
        f"Event {error.position} can't be written down: {error.reason}",
        hint="`asiento audit verify` says what is wrong with the log.",
    )


def _header(owner: Owner, clock: Clock, anchors: Iterable[Anchored], *, archive: bool) -> Header:
    return Header(
        tenant=owner.tenant,
        slug=owner.slug,
        name=owner.name,
        country=owner.country,
        made_at=clock.now(),
        archive=archive,
        recipe=described(owner.tenant),
        types=schemas(),
        anchors=tuple(anchors),
    )


def _write_events(
    paper: "_Paper", connection: Connection, tenant: TenantId, on_progress: Progress
) -> Finding | None:
    """Write all events, and say which is the first that is not as it was appended.

    Raises:
        Unfit: One of them can't be written down.

    """
    total, stated = read_head(connection, tenant) or (0, FIRST_LINK)
    chain, records = Chain(tenant), paper.passing(read_rows(connection, tenant))
    found = chain.follow(records, lambda done: on_progress(done, total))
    deque(records, maxlen=0)  # What is behind a finding is written all the same.
    if paper.unfit is not None:
        raise paper.unfit
    on_progress(paper.events, paper.events)
    return found or chain.end(total, stated)


def schemas() -> dict[str, dict[str, object]]:
    """Describe every event type there is, those that are written no more among them."""
    return {
        name: msgspec.json.schema(kind, schema_hook=_any)
        for name, kind in sorted(event_types().items())
    }


def _any(kind: type) -> dict[str, object]:
    """Describe what may be any JSON."""
    if kind is object:
        return {"description": "Any JSON."}
    raise NotImplementedError


class _Paper:
    """Lines on their way through the packing into the file."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._packing = zlib.compressobj(PACKING, zlib.DEFLATED, GZIP)
        self._buffer = bytearray()
        self._lines = sha256()
        self._packed = sha256()
        self.events, self.link = 0, FIRST_LINK
        self.unfit: Unfit | None = None
        self.write(header)

    @property
    def file_sha256(self) -> str:
        return self._packed.hexdigest()

    def passing(self, records: Iterator[Record]) -> Iterator[Record]:
        """Write each of *records* as it passes."""
        try:
            for record in records:
                self.write(written(record))
                self.events, self.link = self.events + 1, record.hash
                yield record
        except Unfit as error:
            self.unfit = error
            raise

    def write(self, line: Line) -> None:
        self._buffer += ENCODER.encode(line)
        self._buffer += b"\n"
        if len(self._buffer) >= PIECE_BYTES:
            self._empty()

    def close(self) -> None:
        """Write the trailer over all that was written, and the end of the packed data."""
        self._empty()
        sealed = self._lines.hexdigest()
        events, link = self.events, self.link.hex()
        self.write(Trailer(events=events, position=events, hash=link, sha256=sealed))
        self._empty()
        self._put(self._packing.flush())

    def _empty(self) -> None:
        self._lines.update(self._buffer)
        self._put(self._packing.compress(self._buffer))
        self._buffer.clear()

    def _put(self, packed: bytes) -> None:
        self._packed.update(packed)
        self._file.write(packed)


@contextmanager
def complete(to: Path) -> Iterator[BinaryIO]:
    """Give a file that gets the name *to* when the block ends well, and else is gone.

    Raises:
        NotFound: The folder of the file is not there.
        Unavailable: The disk is full, or the folder closed.

    """
    part = to.with_name(to.name + PART)
    try:
        with os.fdopen(open_private(part), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(to)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "audit.no_folder",
            f"There is no folder for {to.absolute()}.",
            hint="Make it first, or name a file elsewhere.",
        ) from None
    except OSError as error:
        raise Unavailable(
            "audit.not_written",
            f"{to.absolute()} can't be written: {error.strerror}.",
            hint="Make room or open the folder, and ask again.",
        ) from error
    finally:
        with suppress(OSError):  # Where it could not be made, nothing has to go.
            part.unlink()
