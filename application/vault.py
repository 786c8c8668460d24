"""The vault: personal texts are sealed on their way into the log and opened on their way out.

A sealed text is ``asiento:sealed:1:<generation>:<base64 of nonce and ciphertext>``, AES-256-GCM
by the subject's key of that generation, bound to its tenant, subject, event type and field.
"""

import hmac
import os
from base64 import b64encode
from binascii import a2b_base64
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

MARK: Final = "asiento:"
"""How each text begins that is to be opened; data without it holds none."""

SEALED: Final = f"{MARK}sealed:1:"
BLANK: Final = f"{MARK}forgotten:1"
"""How a forgotten text is written where it goes into one more event."""

NONCE_BYTES: Final = 12
SEAL_BYTES_MIN: Final = NONCE_BYTES + 16  # With the tag of AES-GCM, around an empty text.
GENERATION_DIGITS_MAX: Final = 9
KEPT_MAX: Final = 20_000
"""Subjects whose keys a process keeps."""

DIGEST_SUBJECT: Final = "email_digest"  # No tag is like it: a tag has a colon.
UNKNOWN: Final = -1
"""Of how much is forgotten: not known, so that no key is taken from what is kept."""

Opener: TypeAlias = Callable[[Event], Event]


class SealBroken(ApplicationError):
    """A sealed text can't be opened, though nobody forgot it. The log or its keys are damaged."""

    status = 500


class Seal(Struct, frozen=True):
    """A sealed text, taken apart."""

    generation: int
    nonce: bytes
    hidden: bytes


class _Kept(Struct, frozen=True):
    """The keys of a subject, as of a moment when so much was forgotten of its tenant."""

    erased: int
    ciphers: dict[int, AESGCM | None]
    destroyed: frozenset[int] = frozenset()

    @property
    def current(self) -> tuple[int, AESGCM] | None:
        generation = max(self.ciphers, default=0)
        cipher = self.ciphers.get(generation)
        return None if cipher is None else (generation, cipher)


_NOTHING_KEPT: Final = _Kept(0, {})
_Known: TypeAlias = dict[str, _Kept]
_Wanted: TypeAlias = dict[str, set[int]]
"""The generations of the keys that are asked for, by subject; none named: the current one."""
_Seals: TypeAlias = dict[str, Seal]
"""Texts that are sealed, taken apart once."""


class NoKeys:
    """Implements ``application.ports.SubjectKeys`` where no personal data is expected."""

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        raise LookupError(f"No keys for {len(subjects)} subjects of {tenant} (make: {make}).")

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        raise LookupError(f"No keys for {subject} of {tenant}.")


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
        wanted, seals = _wanted(events)
        known = await self._known(tenant, wanted, erased)
        return lambda event: today(_opened(tenant, event, known, seals))

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
        wanted, seals = _wanted(written.values())
        known = await self._known(tenant, wanted, UNKNOWN)
        return [
            _revealed(each, _opened(tenant, written[each.position], known, seals))
            if each.position in written
            else each
            for each in stored
        ]

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        """Return the generation of the last key that a subject had; None: it never had one."""
        return await self._keys.last_generation(tenant, subject)

    async def digest(self, text: str) -> str:
        """Return what stands for *text* where it must be found but not told: HMAC-SHA-256."""
        if not self._digest_key:
            found = await self.secret(SYSTEM_TENANT, DIGEST_SUBJECT)
            assert found is not None, "Nobody destroys it."
            self._digest_key = found
        return hmac.digest(self._digest_key, text.encode(), "sha256").hex()

    async def secret(self, tenant: TenantId, name: str) -> bytes | None:
        """Return the 32 random bytes of that name, made when they are first asked for.

        The name has no colon: so it is no person's, and no log says that it is forgotten.
        None: they were destroyed.
        """
        (found,) = await self._keys.find(tenant, [name], make=True)
        return found.key

    async def _known(
        self, tenant: TenantId, wanted: _Wanted, erased: int, *, make: bool = False
    ) -> _Known:
        known: _Known = {}
        for subject, generations in wanted.items():
            kept = self._kept.get((tenant, subject))
            if kept is None or kept.destroyed or erased == UNKNOWN or kept.erased < erased:
                continue
            if kept.ciphers.keys() >= generations and (kept.current or not make):
                known[subject] = kept
        if missing := sorted(wanted.keys() - known.keys()):
            found: dict[str, list[SubjectKey]] = {subject: [] for subject in missing}
            for key in await self._keys.find(tenant, missing, make=make):
                found[key.subject].append(key)
            known |= {subject: _kept_of(erased, keys) for subject, keys in found.items()}
        self._keep(tenant, known)
        return known

    def _keep(self, tenant: TenantId, known: _Known) -> None:
        for subject, kept in known.items():
            self._kept[tenant, subject] = kept
            self._kept.move_to_end((tenant, subject))
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


def seal_of(text: str) -> Seal | None:
    """Take a sealed text apart; None: it is none, though it may begin like one.

    A text from before there were seals may say anything, and reads as it is.
    """
    if not text.startswith(SEALED):
        return None
    digits, _, hidden = text[len(SEALED) :].partition(":")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= GENERATION_DIGITS_MAX):
        return None
    try:
        sealed = a2b_base64(hidden, strict_mode=True)
    except ValueError:
        return None
    if len(sealed) < SEAL_BYTES_MIN:
        return None
    return Seal(int(digits), sealed[:NONCE_BYTES], sealed[NONCE_BYTES:])


def _kept_of(erased: int, keys: Iterable[SubjectKey]) -> _Kept:
    """Keep keys; of those destroyed only that they were, so that they are asked for again."""
    keys = tuple(keys)
    return _Kept(
        erased,
        {k.generation: AESGCM(k.key) if k.key else None for k in keys if not k.destroyed},
        frozenset(k.generation for k in keys if k.destroyed),
    )


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


def _wanted(events: Iterable[Event]) -> tuple[_Wanted, _Seals]:
    """Name the keys that open what is sealed in *events*, and take the seals apart."""
    wanted: _Wanted = {}
    seals: _Seals = {}
    for event in events:
        subject: str | None = None
        for name in personal_fields(type(event)):
            text: str | None = getattr(event, name)
            if text is None or (seal := seal_of(text)) is None:
                continue
            subject = subject or subject_of(event)
            if subject is not None:
                seals[text] = seal
                wanted.setdefault(subject, set()).add(seal.generation)
    return wanted, seals


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
    if current is None or known[subject].destroyed:
        raise _destroyed(subject)
    return current


def _destroyed(subject: str) -> SealBroken:
    return SealBroken(
        "privacy.key_destroyed",
        f"A key of {subject} is destroyed, and the log does not say that it is forgotten.",
        hint="Restore the table subject_key from a backup. Or verify the log: an older one may"
        " have been restored beside newer keys.",
    )


def _opened(tenant: TenantId, event: Event, known: _Known, seals: _Seals) -> Event:
    """Return *event* itself where nothing in it is sealed or blank."""
    texts: dict[str, str] = {}
    subject = ""
    for name in personal_fields(type(event)):
        text: str | None = getattr(event, name)
        if text is None or not text.startswith(MARK):
            continue
        if text == BLANK:
            texts[name] = FORGOTTEN
        elif (seal := seals.get(text) or seal_of(text)) is not None:
            subject = subject or subject_of(event) or ""
            kept = known.get(subject, _NOTHING_KEPT)
            try:
                cipher = kept.ciphers[seal.generation]
                about = _about(tenant, subject, event, name)
                texts[name] = _opened_text(cipher, seal, about)
            except (KeyError, InvalidTag) as error:
                if seal.generation in kept.destroyed:
                    raise _destroyed(subject) from None
                raise _broken(event, name, subject, error) from error
    return replace(event, **texts) if texts else event


def _opened_text(cipher: AESGCM | None, seal: Seal, about: bytes) -> str:
    if cipher is None:
        return FORGOTTEN
    return cipher.decrypt(seal.nonce, seal.hidden, about).decode()


def _broken(event: Event, name: str, subject: str, error: Exception) -> SealBroken:
    told = "there is no such key" if isinstance(error, KeyError) else "it was changed"
    return SealBroken(
        "privacy.seal_broken",
        f"{name} of a {type(event).__name__} about {subject} can't be opened: {told}.",
        hint="Verify the log, and restore the table subject_key if rows of it were lost.",
    )


def _about(tenant: TenantId, subject: str, event: Event, name: str) -> bytes:
    """Bind a text to its place, so that it opens nowhere else."""
    return f"{tenant}\x1f{subject}\x1f{type(event).__name__}\x1f{name}".encode()


def _revealed(stored: StoredEvent, opened: Event) -> StoredEvent:
    data: dict[str, object] = msgspec.json.decode(stored.data)
    data |= {name: getattr(opened, name) for name in personal_fields(type(opened)) if name in data}
    return replace(stored, data=msgspec.json.encode(data).decode())
