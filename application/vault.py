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
_Wanted: TypeAlias = dict[str, set[int]]
"""The generations of the keys that are asked for, by subject; none named: the current one."""


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
        texts = [_personal_texts(event) for event in events]
        if not any(texts):
            return events
        wanted: _Wanted = {
            _whose(event): set()
            for event, found in zip(events, texts, strict=True)
            if any(text is not FORGOTTEN for _, text in found)
        }
        known = await self._known(tenant, wanted, erased, make=True)
        return [
            _sealed(tenant, event, found, known) if found else event
            for event, found in zip(events, texts, strict=True)
        ]

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
        known = await self._known(tenant, _wanted(events), erased)
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
        known = await self._known(tenant, _wanted(written.values()), UNKNOWN)
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
            assert found.key is not None, "Nobody is called so, and so nobody is forgotten."
            self._digest_key = found.key
        return hmac.digest(self._digest_key, text.encode(), "sha256").hex()

    async def _known(
        self, tenant: TenantId, wanted: _Wanted, erased: int, *, make: bool = False
    ) -> _Known:
        known: _Known = {}
        for subject, generations in wanted.items():
            kept = self._kept.get((tenant, subject))
            if kept is None or erased == UNKNOWN or kept.erased < erased:
                continue
            if kept.ciphers.keys() >= generations and (kept.current or not make):
                known[subject] = kept
        if missing := sorted(wanted.keys() - known.keys()):
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


def _personal_texts(event: Event) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in personal_fields(type(event)):
        text: str | None = getattr(event, name)
        if text is not None:
            found.append((name, text))
    return found


def _whose(event: Event) -> str:
    subject = subject_of(event)
    if subject is None:
        raise ValueError(f"{type(event).__name__} has personal data, and does not say whose.")
    return subject


def _wanted(events: Iterable[Event]) -> _Wanted:
    """Name the keys that open what is sealed in *events*."""
    wanted: _Wanted = {}
    for event in events:
        for _, text in _personal_texts(event):
            subject = subject_of(event) if text.startswith(SEALED) else None
            if subject is not None:
                generation = text.removeprefix(SEALED).partition(":")[0]
                wanted.setdefault(subject, set()).update(_number(generation))
    return wanted


def _number(text: str) -> tuple[int, ...]:
    return (int(text),) if text.isascii() and text.isdecimal() else ()


def _sealed(
    tenant: TenantId, event: Event, texts: Iterable[tuple[str, str]], known: _Known
) -> Event:
    sealed: dict[str, str] = {}
    for name, text in texts:
        if text is FORGOTTEN:
            sealed[name] = BLANK
            continue
        subject = _whose(event)
        generation, cipher = _current(subject, known)
        nonce, about = os.urandom(NONCE_BYTES), _about(tenant, subject, event, name)
        hidden = b64encode(nonce + cipher.encrypt(nonce, text.encode(), about)).decode()
        sealed[name] = f"{SEALED}{generation}:{hidden}"
    return replace(event, **sealed)


def _current(subject: str, known: _Known) -> tuple[int, AESGCM]:
    current = known[subject].current
    if current is None:
        raise SealBroken(
            "privacy.key_destroyed",
            f"The key of {subject} is destroyed, and the log does not say that it is forgotten.",
            hint="Verify the log: an older one may have been restored beside newer keys.",
        )
    return current


def _opened(tenant: TenantId, event: Event, known: _Known) -> Event:
    """Return *event* itself where nothing in it is sealed or blank."""
    texts: dict[str, str] = {}
    for name, text in _personal_texts(event):
        if text == BLANK:
            texts[name] = FORGOTTEN
        elif text.startswith(SEALED):
            texts[name] = _opened_text(tenant, event, name, text, known)
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
