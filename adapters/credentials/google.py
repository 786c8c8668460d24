"""The assertion of a Google service account (RFC 7523), made and signed by Google's own library.

Only made here: it is sent by our own client, to the address that settings name.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from google.auth import jwt
from google.auth.crypt import RSASigner

from application.secret_kinds import GOOGLE_TOKEN_URIS, GoogleServiceAccount

SECONDS: Final = 3_600
"""How long an assertion may be taken for at the most, by Google's rules."""


def assertion_of(document: GoogleServiceAccount, scopes: Collection[str]) -> str:
    """Sign who asks and for what. It is addressed to Google, wherever it is sent."""
    signer = RSASigner.from_service_account_info(  # type: ignore[no-untyped-call] # Theirs.
        {"private_key": document.private_key, "private_key_id": document.private_key_id}
    )
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": document.client_email,
        "aud": GOOGLE_TOKEN_URIS[0],
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + SECONDS,
    }
    if document.subject is not None:
        claims["sub"] = document.subject
    signed: bytes = jwt.encode(signer, claims)  # type: ignore[no-untyped-call] # As above.
    return signed.decode()
