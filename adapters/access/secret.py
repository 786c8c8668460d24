"""What access signs with, derived from the secret of the instance, a key for each purpose.

The secret is given, or made once for all processes. Former ones sign nothing, and what they
signed is still taken until it runs out.
"""

import hmac
from functools import cache
from typing import Final

from adapters.private import made_once, random_hex
from adapters.settings import Settings
from application.errors import Malformed

SECRET_LENGTH_MIN: Final = 32
FILE: Final = "secret-key"


@cache
def keys_for(settings: Settings, purpose: str) -> tuple[bytes, ...]:
    """Derive 32 bytes for a purpose from each secret; the first is what to sign with.

    They are derived once, as links and challenges ask for them with each request.

    Raises:
        Malformed: A secret that was set is too short to be one.

    """
    return tuple(
        hmac.digest(secret.encode(), b"asiento " + purpose.encode(), "sha256")
        for secret in _secrets(settings)
    )


def _secrets(settings: Settings) -> list[str]:
    if settings.asiento_secret_key is None:
        return [made_once(settings.data / FILE, random_hex)]
    secrets = [each.strip() for each in settings.asiento_secret_key.split(",")]
    shortest = min(map(len, secrets))
    if shortest < SECRET_LENGTH_MIN:
        raise Malformed(
            "settings.weak_secret",
            f"ASIENTO_SECRET_KEY has one of {shortest} characters.",
            hint=f"Use {SECRET_LENGTH_MIN} random ones or more, as `openssl rand -hex 32` gives.",
        )
    return secrets
