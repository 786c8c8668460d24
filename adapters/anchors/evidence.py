"""An anchor file with all that speaks for it: the signature, and the timestamp beside it."""

from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from adapters.anchors.checking import checked_anchor, read_file, trusted_key
from adapters.anchors.folder import timestamp_path
from adapters.anchors.timestamps import root_certificates, stamped_at
from adapters.settings import Settings
from application.anchors import Anchor, TimestampFailed, digest

Witness: TypeAlias = Literal["verified", "unverified", "bad", "none"]
"""Of a timestamp: unverified where no root certificates are set, none where there is none."""


class Timestamp(Struct, frozen=True, kw_only=True):
    """When an outside witness saw the anchor."""

    status: Witness
    at: datetime | None = None
    reason: str | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """A genuine anchor: signed by the expected key, and perhaps witnessed."""

    anchor: Anchor
    digest: str
    timestamp: Timestamp


def gather(settings: Settings, path: Path, public_key: str | None = None) -> Evidence:
    """Check the anchor at *path* by *public_key* (none: by the instance's own).

    Raises:
        NotFound: The file can't be read.
        BadAnchor: It is no anchor, altered, or signed by another key.
        TimestampFailed: The timestamp beside it is not of it, or not vouched for.
        Malformed: The key or the certificates can't be used, or there is no key.

    """
    content = read_file(path)
    anchor = checked_anchor(content, trusted_key(settings, public_key))
    timestamp = witness(settings, path, content)
    if timestamp.status == "bad":
        raise TimestampFailed(
            "anchors.bad_timestamp",
            f"The timestamp beside the anchor proves nothing: {timestamp.reason}",
            hint="Find out who changed it. Without the .tsr file the anchor counts by itself.",
        )
    return Evidence(anchor=anchor, digest=digest(content), timestamp=timestamp)


def witness(settings: Settings, path: Path, content: bytes) -> Timestamp:
    """Look at the timestamp beside the anchor at *path*, which holds *content*.

    Raises:
        Malformed: The certificates that are set can't be read.

    """
    beside, roots = timestamp_path(path), root_certificates(settings)
    if not beside.exists():
        return Timestamp(status="none")
    try:
        at = stamped_at(read_file(beside), content, roots)
    except TimestampFailed as error:
        return Timestamp(status="bad", reason=error.message)
    return Timestamp(status="verified" if roots else "unverified", at=at)
