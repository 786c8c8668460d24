"""The anchors there are: those that the log names, and those that lie in the folder."""

from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from adapters.anchors.checking import BadAnchor, parsed, read_file
from adapters.anchors.evidence import Timestamp, witness
from adapters.anchors.folder import anchor_folder
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.anchors import digest
from application.codec import decode
from application.ports import QueryItem
from domain.anchors import HEADS, HeadsAnchored
from domain.ids import SYSTEM_TENANT

Status: TypeAlias = Literal["kept", "elsewhere", "not in the log"]


class ListedAnchor(Struct, frozen=True, kw_only=True):
    """One anchor. Elsewhere: made on another machine, or its file was lost or changed."""

    number: int
    made_at: datetime
    heads: int
    digest: str
    public_key: str
    status: Status
    file: str | None
    timestamp: Timestamp


async def list_anchors(runtime: Runtime) -> list[ListedAnchor]:
    """List the anchors by number, those of one number by digest."""
    logged = await _logged(runtime)
    kept = dict(_kept(runtime.settings))
    found = [_of_log(event, kept.get(event.digest)) for event in logged]
    known = {event.digest for event in logged}
    found += [listed for listed in kept.values() if listed.digest not in known]
    return sorted(found, key=lambda each: (each.number, each.digest))


async def _logged(runtime: Runtime) -> list[HeadsAnchored]:
    query = [QueryItem(types=(HeadsAnchored.__name__,), tags=(f"chain:{HEADS}",))]
    found = [decode(stored) async for stored in runtime.store.read(SYSTEM_TENANT, query)]
    return [event for event in found if isinstance(event, HeadsAnchored)]


def _kept(settings: Settings) -> list[tuple[str, ListedAnchor]]:
    """List what lies in the folder, by digest. What is no anchor any more is left out."""
    found: list[tuple[str, ListedAnchor]] = []
    for path in anchor_folder(settings).paths():
        content = read_file(path)
        try:
            listed = _of_file(settings, path, content)
        except BadAnchor:
            continue
        found.append((listed.digest, listed))
    return found


def _of_file(settings: Settings, path: Path, content: bytes) -> ListedAnchor:
    anchor = parsed(content)
    return ListedAnchor(
        number=anchor.number,
        made_at=anchor.made_at,
        heads=len(anchor.heads),
        digest=digest(content),
        public_key=anchor.public_key,
        status="not in the log",
        file=str(path),
        timestamp=witness(settings, path, content),
    )


def _of_log(event: HeadsAnchored, kept: ListedAnchor | None) -> ListedAnchor:
    return ListedAnchor(
        number=event.number,
        made_at=event.made_at,
        heads=event.heads,
        digest=event.digest,
        public_key=event.public_key,
        status="elsewhere" if kept is None else "kept",
        file=None if kept is None else kept.file,
        timestamp=Timestamp(status="none") if kept is None else kept.timestamp,
    )
