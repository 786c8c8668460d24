"""A stand-in for a device with passkeys, in software: its keys and its signatures are real.

What it says and signs is laid out by hand, as WebAuthn level 3 has it (sections 5.8.1, 6.1 and
6.5), so that the library that reads it does not judge its own writing.
"""

import json
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40
NO_MODEL: Final = bytes(16)  # An AAGUID that tells nobody what was bought.
Json = dict[str, Any]
Cose = dict[int, Any]
Change = Callable[[bytes], bytes]


def text_of(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(f"{text}===")


def same(data: bytes) -> bytes:
    return data


def p256() -> tuple[Change, Cose]:
    """Make what signs by ECDSA, and its public key in COSE (RFC 9053, sections 2.1 and 7.1)."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
    return lambda data: key.sign(data, ec.ECDSA(SHA256())), cose


def ed() -> tuple[Change, Cose]:
    """Make what signs by Ed25519, and its public key in COSE (RFC 9053, sections 2.2 and 7.2)."""
    key = ed25519.Ed25519PrivateKey.generate()
    return key.sign, {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}


@dataclass(frozen=True)
class Wrong:
    """What a device, or a page before it, may do wrong; as it stands here, nothing."""

    origin: str | None = None
    rp_id: str | None = None
    challenge: str | None = None
    framed: bool = False
    verified: bool = True
    handle: str | None = None
    tampered: Change = same


NOTHING: Final = Wrong()


@dataclass
class Device:
    """A device with one passkey. What it says can be made to be wrong, each thing by itself."""

    origin: str
    kind: Callable[[], tuple[Change, Cose]] = p256
    counts: bool = True
    count: int = 0
    handle: str = ""
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        self._sign, self._cose = self.kind()

    def make(self, options: Json, wrong: Wrong = NOTHING) -> Json:
        """Do what ``navigator.credentials.create`` does, and ``toJSON`` of what it gives."""
        self.handle = options["user"]["id"]
        about = self._about(options["rp"]["id"], HAS_KEY, wrong)
        about += NO_MODEL + struct.pack(">H", len(self.credential)) + self.credential
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": about + self._key()})
        said = self._said("webauthn.create", options, wrong)
        response = {
            "clientDataJSON": text_of(said),
            "attestationObject": text_of(made),
            "transports": ["internal", "hybrid", "telepathy"],
            "publicKeyAlgorithm": self._cose[3],
        }
        return self._credential(response)

    def sign(self, options: Json, wrong: Wrong = NOTHING) -> Json:
        """Do what ``navigator.credentials.get`` does, and ``toJSON`` of what it gives."""
        about = self._about(options["rpId"], 0, wrong)
        said = self._said("webauthn.get", options, wrong)
        signature = self._sign(about + sha256(said).digest())
        response = {
            "clientDataJSON": text_of(said),
            "authenticatorData": text_of(about),
            "signature": text_of(wrong.tampered(signature)),
            "userHandle": self.handle if wrong.handle is None else wrong.handle,
        }
        return self._credential(response)

    def _credential(self, response: Json) -> Json:
        name = text_of(self.credential)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }

    def _key(self) -> bytes:
        key: bytes = cbor2.dumps(self._cose)
        return key

    def _about(self, rp_id: str, flags: int, wrong: Wrong) -> bytes:
        """Lay out the authenticator data (section 6.1), one use further."""
        self.count += self.counts
        flags |= PRESENT | (VERIFIED if wrong.verified else 0)
        site = sha256((wrong.rp_id or rp_id).encode()).digest()
        return site + struct.pack(">BI", flags, self.count)

    def _said(self, what: str, options: Json, wrong: Wrong) -> bytes:
        """Write the client data (section 5.8.1)."""
        said = {
            "type": what,
            "challenge": wrong.challenge or options["challenge"],
            "origin": wrong.origin or self.origin,
            "crossOrigin": wrong.framed,
        }
        return json.dumps(said).encode()
