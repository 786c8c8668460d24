"""Files that hold what is personal or secret: whoever made them can read them, and nobody else."""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

OWNER_ONLY: Final = 0o600


def open_private(path: Path) -> int:
    """Make or empty the file at *path* for its owner alone, and return its descriptor."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    # One that was there may be open to others; what is no file is not ours to change.
    if stat.S_ISREG(os.fstat(file).st_mode):
        os.fchmod(file, OWNER_ONLY)
    return file


def made_once(path: Path, make: Callable[[], str]) -> str:
    """Read a file that whoever is first makes; nobody sees it half made."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(draft, flags, OWNER_ONLY), "w") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            # A link, unlike a rename, leaves alone what another process made meanwhile.
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text()


def random_hex() -> str:
    """Make 32 random bytes, in hex."""
    return secrets.token_hex(32)
