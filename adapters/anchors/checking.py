"""What an anchor proves: that it is genuine, and that a log still passes through its head.

Only a public key that was kept elsewhere proves who signed; the one in the file says nothing.
"""

from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from adapters.anchors.signing_key import known_signing_key
from adapters.settings import Settings
from application.anchors import FORMAT, VERSION, Anchor, Head, canonical
from application.errors import ApplicationError, Malformed, NotFound

ANCHOR_BYTES_MAX: Final = 256 * 2**20
KEY_BYTES: Final = 32


class BadAnchor(ApplicationError):
    """The file is no anchor that was signed by the expected key. Find out who changed it."""

    status = 409


class Kind(Struct, frozen=True):
    """What every version of the format begins with."""

    format: str
    version: int


def read_anchor(path: Path, public_key: str) -> Anchor:
    """Read an anchor and check that *public_key* (in hex) signed all of it.

    Raises:
        NotFound: The file can't be read.
        BadAnchor: It is no anchor, of another version, altered, or signed by another key.

    """
    return checked_anchor(read_file(path), public_key)


def checked_anchor(content: bytes, public_key: str) -> Anchor:
    """As ``read_anchor``, of what a file holds."""
    anchor = parsed(content)
    if canonical(anchor) != content:
        raise _altered("it is not written in the canonical form")
    if anchor.public_key != public_key:
        raise BadAnchor(
            "anchors.other_key",
            f"The anchor was signed by the key {anchor.public_key}, and not by {public_key}.",
            hint="Compare with the key you noted; an older anchor needs the key of its time.",
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(anchor.public_key))
        key.verify(bytes.fromhex(anchor.signature), canonical(anchor.statement))
    except (InvalidSignature, ValueError):
        raise _altered("its signature is not that of its content") from None
    tenants = [head.tenant for head in anchor.heads]
    if tenants != sorted(set(tenants)):
        raise _altered("its heads are not sorted, or one is there twice")
    return anchor


def head_of(anchor: Anchor, tenant: str) -> Head:
    """Find the head of one log.

    Raises:
        NotFound: The anchor does not hold it.

    """
    for head in anchor.heads:
        if head.tenant == tenant:
            return head
    raise NotFound(
        "anchors.tenant_absent",
        f"Anchor {anchor.number} of {anchor.made_at:%Y-%m-%d} holds no head of this tenant.",
        hint="The log was empty or not there then: take a later anchor.",
    )


def disagreement(head: Head, *, end: int, hash_there: str | None) -> str | None:
    """Say how a log contradicts its anchored *head*; None where it passes through it.

    *end* is the last position of the log, and *hash_there* the recomputed hash, in hex, at
    the position of the head.
    """
    if end < head.position:
        return (
            f"The log ends at {end}, before the anchor's {head.position}: it was cut off,"
            " or the database was taken back to an older state."
        )
    if hash_there != head.hash:
        return (
            f"The log was rewritten up to {head.position}: it is whole in itself, but not"
            " the one that was anchored."
        )
    return None


def trusted_key(settings: Settings, given: str | None) -> str:
    """Choose the public key to check by: the one *given*, else the instance's own.

    Raises:
        Malformed: What was given is no key, or there is none.

    """
    own = None if given is not None else known_signing_key(settings)
    key = (given or "").strip().lower() if own is None else own.public_key
    if given is None and own is None:
        raise Malformed(
            "anchors.no_key",
            "There is no key to check the anchor by.",
            hint="Give --public-key, as `asiento audit anchor-key` printed it.",
        )
    try:
        length = len(bytes.fromhex(key))
    except ValueError:
        length = 0
    if length != KEY_BYTES:
        raise Malformed(
            "anchors.bad_key",
            "This is no public key: it has 64 hex digits.",
            hint="Give what `asiento audit anchor-key` printed.",
        )
    return key


def parsed(content: bytes) -> Anchor:
    """Read an anchor without believing it.

    Raises:
        BadAnchor: It is none, or of another version.

    """
    try:
        kind = msgspec.json.decode(content, type=Kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = Kind(format="", version=0)
    if (kind.format, kind.version) != (FORMAT, VERSION):
        raise BadAnchor(
            "anchors.unknown_format",
            f"The file is no anchor of version {VERSION}.",
            hint="Name a file that `asiento audit anchor` made; a newer one needs a newer version.",
        )
    try:
        return msgspec.json.decode(content, type=Anchor)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _altered(str(error)) from None


def read_file(path: Path) -> bytes:
    """Read a file that may be an anchor.

    Raises:
        NotFound: It can't be read, or is too large to be one.

    """
    try:
        with path.open("rb") as file:
            content = file.read(ANCHOR_BYTES_MAX + 1)
    except OSError as error:
        raise NotFound(
            "anchors.unreadable",
            f"{path} can't be read: {error.strerror}.",
            hint="Name an anchor file that you may read.",
        ) from None
    if len(content) > ANCHOR_BYTES_MAX:
        raise NotFound(
            "anchors.unreadable",
            f"{path} is larger than {ANCHOR_BYTES_MAX} bytes.",
            hint="Name an anchor file.",
        )
    return content


def _altered(why: str) -> BadAnchor:
    return BadAnchor(
        "anchors.altered",
        f"The anchor was altered: {why}.",
        hint="Don't trust it. Compare with another copy, and with its digest in the log.",
    )
