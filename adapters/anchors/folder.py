"""Anchors as files under the instance's folder, each with its timestamp beside it."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.embedded.files import write_private
from adapters.settings import Settings
from application.anchors import digest
from application.errors import Unavailable

FOLDER: Final = "anchors"
NAME: Final = re.compile(r"[0-9]{6,}-[0-9a-f]{16}\.json", re.ASCII)
DIGEST_DIGITS: Final = 16
"""Of the digest in the name, so that two anchors of one number, made at once, both stay."""


class AnchorFolder:
    """Implements ``application.anchors.Keep``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, number: int, content: bytes) -> Path:
        path = self._folder / f"{number:06}-{digest(content)[:DIGEST_DIGITS]}.json"
        await asyncio.to_thread(keep_file, path, content)
        return path

    async def put_timestamp(self, anchor: Path, response: bytes) -> None:
        """Keep a timestamp beside its anchor.

        Raises:
            Unavailable: The disk is full, or the folder closed.

        """
        await asyncio.to_thread(keep_file, timestamp_path(anchor), response)

    def paths(self) -> Iterator[Path]:
        """Name the anchors there are, the oldest first."""
        if self._folder.is_dir():
            yield from sorted(p for p in self._folder.iterdir() if NAME.fullmatch(p.name))


def anchor_folder(settings: Settings) -> AnchorFolder:
    """Find the anchors of this instance."""
    return AnchorFolder(settings.data / FOLDER)


def timestamp_path(anchor: Path) -> Path:
    """Name the time-stamp response that belongs to an anchor."""
    return anchor.with_name(f"{anchor.name}.tsr")


def keep_file(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, even if the machine stops.

    Raises:
        Unavailable: The disk is full, or the folder closed.

    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, content)
    except OSError as error:
        raise Unavailable(
            "anchors.not_kept",
            f"The anchor can't be kept in {path.parent}: {error.strerror}.",
            hint="Make room, or open the folder, and make the anchor again.",
        ) from error
