"""The vault: personal texts are sealed on their way into the log and opened on their way out.

A sealed text is ``asiento:sealed:1:<generation>:<base64 of nonce and ciphertext>``, AES-256-GCM
by the subject's key of that generation, bound to its tenant, subject, event type and field.
"""

import hmac
import os
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from msgspec.structs import replace

from application import codec
from application.errors import ApplicationError
from application.ports import StoredEvent, SubjectKey, SubjectKeys
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import FORGOTTEN, Event, personal_fields, subject_of, today

SEALED: Final = "asiento:sealed:1:"
BLANK: Final = "asiento:forgotten:1"
"""How a forgotten text is written where it goes into one more event."""

NONCE_BYTES: Final = 12
KEPT_MAX: Final = 20_000
"""Subjects whose keys a process keeps."""

DIGEST_SUBJECT: Final = "email_digest"  # No tag is like it: a tag has a colon.
UNKNOWN: Final = -1
"""Of how much is forgotten: not known, so that no key is taken from what is kept."""

Opener: TypeAlias = Callable[[Event], Event]


class SealBroken(ApplicationError):
    """A sealed text can't be opened, though nobody forgot it. The log or its keys are damaged."""

    status = 500


class _Kept(Struct, frozen=True):
    """The keys of a subject, as of a moment when so much was forgotten of its tenant."""

    erased: int
    ciphers: dict[int, AESGCM | None]

    @property
    def current(self) -> tuple[int, AESGCM] | None:
        generation = max(self.ciphers, default=0)
        cipher = self.ciphers.get(generation)
        return None if cipher is None else (generation, cipher)


_Known: TypeAlias = dict[str, _Kept]


class NoKeys:
    """Implements ``application.ports.SubjectKeys`` where no personal data is expected."""

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        raise LookupError(f"No keys for {len(subjects)} subjects of {tenant} (make: {make}).")


class Vault:
    """Seals and opens the events of all tenants, and keeps the keys that it was lent lately."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys
        self._kept: OrderedDict[tuple[TenantId, str], _Kept] = OrderedDict()
        self._digest_key = b""

    async def seal(
        self, tenant: TenantId, events: Sequence[Event], *, erased: int = UNKNOWN
    ) -> Sequence[Event]:
        """Seal what is personal in *events*; nothing is awaited where nothing is.

        *erased* is what ``Look`` said of the moment after which the append must find nobody
        forgotten: only then is no key used that is about to be destroyed.

        Raises:
            Unavailable: The keys can't be reached.

        """
        wanted = {subject for event in events if (subject := _to_seal(event))}
        known = await self._known(tenant, wanted, erased, make=True) if wanted else {}
        return [_sealed(tenant, event, known) for event in events]

    async def open(
        self, tenant: TenantId, events: Sequence[Event], *, erased: int = UNKNOWN
    ) -> list[Event]:
        """Open what is sealed in *events* as they were written, and say them in today's words.

        Raises:
            SealBroken: A text can't be opened, and not because it is forgotten.
            Unavailable: The keys can't be reached.

        """
        opener = await self.opener(tenant, events, erased=erased)
        return [opener(event) for event in events]

    async def opener(
        self, tenant: TenantId, events: Iterable[Event], *, erased: int = UNKNOWN
    ) -> Opener:
        """Fetch the keys of *events* at once, and return what opens each of them.

        Keys that were kept since so much was *erased* of the tenant are taken as they are.
        """
        wanted = {subject for event in events if (subject := _to_open(event))}
        known = await self._known(tenant, wanted, erased) if wanted else {}
        return lambda event: today(_opened(tenant, event, known))

    async def read(self, tenant: TenantId, stored: Sequence[StoredEvent]) -> list[Event]:
        """Decode and open events of the log.

        Raises:
            UnknownEvent: One of them can't be read here.
            SealBroken: A text can't be opened, and not because it is forgotten.
            Unavailable: The keys can't be reached.

        """
        written = [codec.decode_written(each.type, each.data, each.position) for each in stored]
        return await self.open(tenant, written)

    async def reveal(
        self, tenant: TenantId, stored: Sequence[StoredEvent]
    ) -> Sequence[StoredEvent]:
        """Open the data of *stored* and change nothing else of it, for people who look at it."""
        sealed = {each.position for each in stored if SEALED in each.data or BLANK in each.data}
        known_types = codec.event_types()
        written = {
            each.position: codec.decode_written(each.type, each.data, each.position)
            for each in stored
            if each.position in sealed and each.type in known_types
        }
        wanted = {subject for event in written.values() if (subject := _to_open(event))}
        known = await self._known(tenant, wanted, UNKNOWN) if wanted else {}
        return [
            _revealed(tenant, each, written[each.position], known)
            if each.position in written
            else each
            for each in stored
        ]

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        """Return the generation of the last key that a subject had; None: it never had one."""
        return max(
            (key.generation for key in await self._keys.find(tenant, [subject])), default=None
        )

    async def digest(self, text: str) -> str:
        """Return what stands for *text* where it must be found but not told: HMAC-SHA-256."""
        if not self._digest_key:
            (found,) = await self._keys.find(SYSTEM_TENANT, [DIGEST_SUBJECT], make=True)
            self._digest_key = found.key or b""
        return hmac.digest(self._digest_key, text.encode(), "sha256").hex()

    async def _known(
        self, tenant: TenantId, wanted: Collection[str], erased: int, *, make: bool = False
    ) -> _Known:
        known: _Known = {}
        for subject in wanted:
            kept = self._kept.get((tenant, subject))
            fresh = kept is not None and erased != UNKNOWN and kept.erased >= erased
            if kept is not None and fresh and (kept.current or not make):
                known[subject] = kept
        if missing := sorted(set(wanted) - known.keys()):
            found: dict[str, dict[int, AESGCM | None]] = {subject: {} for subject in missing}
            for key in await self._keys.find(tenant, missing, make=make):
                found[key.subject][key.generation] = AESGCM(key.key) if key.key else None
            known |= {subject: _Kept(erased, ciphers) for subject, ciphers in found.items()}
        self._keep(tenant, known)
        return known

    def _keep(self, tenant: TenantId, known: _Known) -> None:
        for subject, kept in known.items():
            self._kept[tenant, subject] = kept
            self._kept.move_to_end((tenant, subject))
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


def _to_seal(event: Event) -> str | None:
    """Name whose key an event needs; None where it needs none."""
    values = (getattr(event, name) for name in personal_fields(type(event)))
    if all(value is None or value is FORGOTTEN for value in values):
        return None
    subject = subject_of(event)
    if subject is None:
        raise ValueError(f"{type(event).__name__} has personal data, and does not say whose.")
    return subject


def _to_open(event: Event) -> str | None:
    values = (getattr(event, name) for name in personal_fields(type(event)))
    return subject_of(event) if any(_is_sealed(value) for value in values) else None


def _is_sealed(value: str | None) -> bool:
    return value is not None and value.startswith(SEALED)


def _sealed(tenant: TenantId, event: Event, known: _Known) -> Event:
    texts: dict[str, str] = {}
    for name in personal_fields(type(event)):
        value: str | None = getattr(event, name)
        if value is FORGOTTEN:
            texts[name] = BLANK
        elif value is not None:
            texts[name] = _sealed_text(tenant, event, name, value, known)
    return replace(event, **texts) if texts else event


def _sealed_text(tenant: TenantId, event: Event, name: str, value: str, known: _Known) -> str:
    subject = subject_of(event) or ""
    current = known[subject].current
    if current is None:
        raise SealBroken(
            "privacy.key_destroyed",
            f"The key of {subject} is destroyed, and the log does not say that it is forgotten.",
            hint="Verify the log: an older one may have been restored beside newer keys.",
        )
    generation, cipher = current
    nonce = os.urandom(NONCE_BYTES)
    about = _about(tenant, subject, event, name)
    text = b64encode(nonce + cipher.encrypt(nonce, value.encode(), about)).decode()
    return f"{SEALED}{generation}:{text}"


def _opened(tenant: TenantId, event: Event, known: _Known) -> Event:
    texts: dict[str, str] = {}
    for name in personal_fields(type(event)):
        value: str | None = getattr(event, name)
        if value == BLANK:
            texts[name] = FORGOTTEN
        elif value is not None and value.startswith(SEALED):
            texts[name] = _opened_text(tenant, event, name, value, known)
    return replace(event, **texts) if texts else event


def _opened_text(tenant: TenantId, event: Event, name: str, value: str, known: _Known) -> str:
    subject = subject_of(event) or ""
    generation, _, text = value.removeprefix(SEALED).partition(":")
    try:
        cipher = known[subject].ciphers[int(generation)]
        if cipher is None:
            return FORGOTTEN
        sealed = b64decode(text, validate=True)
        about = _about(tenant, subject, event, name)
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about).decode()
    except (KeyError, ValueError, InvalidTag) as error:
        told = "there is no such key" if isinstance(error, KeyError) else "it was changed"
        raise SealBroken(
            "privacy.seal_broken",
            f"{name} of a {type(event).__name__} about {subject} can't be opened: {told}.",
            hint="Verify the log, and restore the table subject_key if rows of it were lost.",
        ) from error


def _about(tenant: TenantId, subject: str, event: Event, name: str) -> bytes:
    """Bind a text to its place, so that it opens nowhere else."""
    return f"{tenant}\x1f{subject}\x1f{type(event).__name__}\x1f{name}".encode()


def _revealed(tenant: TenantId, stored: StoredEvent, written: Event, known: _Known) -> StoredEvent:
    data: dict[str, object] = msgspec.json.decode(stored.data)
    opened = _opened(tenant, written, known)
    data |= {name: getattr(opened, name) for name in personal_fields(type(written)) if name in data}
    return replace(stored, data=msgspec.json.encode(data).decode())
