"""The secret that signs access tokens: given, or made once for all processes of an instance."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapters.settings import Settings
from application.errors import Malformed

SECRET_LENGTH_MIN: Final = 32
FILE: Final = "secret-key"


def signing_key(settings: Settings) -> bytes:
    """Derive the key of access tokens from the instance's secret.

    Raises:
        Malformed: The secret that was set is too short to be one.

    """
    secret = settings.asiento_secret_key or made_once(settings.data / FILE)
    if len(secret) < SECRET_LENGTH_MIN:
        raise Malformed(
            "settings.weak_secret",
            f"ASIENTO_SECRET_KEY has {len(secret)} characters.",
            hint=f"Use {SECRET_LENGTH_MIN} random ones or more, as `openssl rand -hex 32` gives.",
        )
    return hmac.digest(secret.encode(), b"asiento access token 1", "sha256")


def made_once(path: Path) -> str:
    """Read a file of 32 random bytes in hex, made by whoever is first; nobody sees it half made."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            # A link, unlike a rename, leaves alone what another process made meanwhile.
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text()
