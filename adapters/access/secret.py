"""The secret that signs access tokens: given, or made once for all processes of an instance."""

import hmac
from typing import Final

from adapters.private import made_once, random_hex
from adapters.settings import Settings
from application.errors import Malformed

SECRET_LENGTH_MIN: Final = 32
FILE: Final = "secret-key"


def signing_key(settings: Settings) -> bytes:
    """Derive the key of access tokens from the instance's secret.

    Raises:
        Malformed: The secret that was set is too short to be one.

    """
    secret = settings.asiento_secret_key or made_once(settings.data / FILE, random_hex)
    if len(secret) < SECRET_LENGTH_MIN:
        raise Malformed(
            "settings.weak_secret",
            f"ASIENTO_SECRET_KEY has {len(secret)} characters.",
            hint=f"Use {SECRET_LENGTH_MIN} random ones or more, as `openssl rand -hex 32` gives.",
        )
    return hmac.digest(secret.encode(), b"asiento access token 1", "sha256")
