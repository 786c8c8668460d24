"""Letters laid into a folder, for an instance that has no mail server: an .eml file each.

They hold links that open accounts, so that whoever runs the instance can read them, and nobody
else.
"""

import asyncio
import os
from pathlib import Path

from adapters.mail.messages import message_of
from adapters.private import open_private
from application.errors import Unavailable
from application.mail import Letter


class FolderMailer:
    """Implements ``application.mail.Mailer``."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        """Write a letter; the same one takes the place of the former."""
        message = message_of(letter, self._sender).as_bytes()
        try:
            await asyncio.to_thread(self._write, f"{letter.id}.eml", message)
        except OSError as error:
            raise Unavailable(
                "mail.not_kept",
                f"The letter can't be written: {error.strerror}.",
                hint="Make room or mend the folder mail of ASIENTO_DATA; it is tried again.",
            ) from error

    def _write(self, name: str, message: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f".{name}"
        with os.fdopen(open_private(draft), "wb") as file:
            file.write(message)
        draft.rename(self._folder / name)
