"""A stand-in for the transit engine of OpenBao: encrypt and decrypt, by keys that it keeps.

It is none, and shows nothing of one but the two requests that are sent to it, in their form.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.credentials.http import Asked, Said, serving

TOKEN = "s.standin"  # noqa: S105 - of a server that lasts a test.


class StandInTransit:
    """Keeps one key, in versions."""

    def __init__(self) -> None:
        self.port = 0
        self.sealed = False
        self.versions = [AESGCM.generate_key(256)]
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rotate(self) -> None:
        self.versions.append(AESGCM.generate_key(256))

    async def handle(self, asked: Asked) -> Said:
        self.asked.append(asked.path)
        if self.sealed:
            return Said(503, {"errors": ["Vault is sealed"]})
        if asked.headers.get("x-vault-token") != TOKEN:
            return Said(403, {"errors": ["permission denied"]})
        given = asked.json
        about = b64decode(given.get("associated_data", ""))
        match asked.path:
            case "/v1/transit/encrypt/asiento":
                nonce, plain = os.urandom(12), b64decode(given["plaintext"])
                hidden = nonce + AESGCM(self.versions[-1]).encrypt(nonce, plain, about)
                text = f"vault:v{len(self.versions)}:{b64encode(hidden).decode()}"
                return Said(200, {"data": {"ciphertext": text}})
            case "/v1/transit/decrypt/asiento":
                return self._decrypted(given["ciphertext"], about)
        return Said(404, {"errors": []})

    def _decrypted(self, text: str, about: bytes) -> Said:
        _, version, coded = text.split(":")
        hidden = b64decode(coded)
        try:
            cipher = AESGCM(self.versions[int(version.removeprefix("v")) - 1])
            plain = cipher.decrypt(hidden[:12], hidden[12:], about)
        except (InvalidTag, IndexError):
            return Said(400, {"errors": ["cipher: message authentication failed"]})
        return Said(200, {"data": {"plaintext": b64encode(plain).decode()}})


@asynccontextmanager
async def transit_stand_in() -> AsyncIterator[StandInTransit]:
    """Run one."""
    engine = StandInTransit()
    async with serving(engine.handle) as port:
        engine.port = port
        yield engine
