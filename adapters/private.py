"""Files that hold what is personal or secret: whoever made them can read them, and nobody else."""

import os
import stat
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
