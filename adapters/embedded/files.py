"""Private files, written whole or not at all."""

import os
import secrets
from pathlib import Path

from adapters.embedded.users import User, hand_over


def write_private(path: Path, content: bytes, owner: User | None = None) -> None:
    """Replace the file at once, readable by its owner alone (mode 0600)."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hand_over(draft, owner)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def private_folder(path: Path, owner: User | None) -> Path:
    """Make the folder if it is missing, open to its owner alone (mode 0700)."""
    path.mkdir(mode=0o700, exist_ok=True)
    hand_over(path, owner)
    return path
