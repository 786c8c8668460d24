"""Files kept in a folder, by content, a tenant's apart from another's."""

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from application.errors import NotFound, Unavailable
from domain.ids import TenantId

PIECE_BYTES: Final = 1 << 20


class FolderBlobs:
    """Implements ``application.ports.Blobs``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, tenant: TenantId, source: Path) -> str:
        return await asyncio.to_thread(self._put, tenant, source)

    def path(self, tenant: TenantId, sha256: str) -> Path:
        path = self.folder(tenant) / sha256
        if not re.fullmatch("[0-9a-f]{64}", sha256) or not path.exists():
            raise NotFound("blob.absent", f"There is no file {sha256}.", hint="Send it again.")
        return path

    def folder(self, tenant: TenantId) -> Path:
        """Return where the files of a tenant lie."""
        return self._root / re.sub("[^0-9a-f-]", "", tenant)

    def _put(self, tenant: TenantId, source: Path) -> str:
        folder, digest = self.folder(tenant), hashlib.sha256()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
                try:
                    with source.open("rb") as original:
                        while piece := original.read(PIECE_BYTES):
                            digest.update(piece)
                            copy.write(piece)
                    copy.flush()
                    os.fsync(copy.fileno())
                except BaseException:
                    Path(copy.name).unlink()
                    raise
            shutil.move(copy.name, folder / digest.hexdigest())
        except OSError as error:
            raise Unavailable(
                "blob.not_kept",
                f"The file can't be kept: {error.strerror}.",
                hint="Make room or mend the folder of ASIENTO_DATA, then send it again.",
            ) from error
        return digest.hexdigest()
