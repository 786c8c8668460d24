"""The lines of an export: a header, an event a line, a trailer. JSON, packed by gzip.

docs/audit.md describes them for everybody else; what they say here is stored for ever.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from msgspec.json import Decoder, Encoder

from adapters.audit.recipe import SEPARATOR, Record, Unfit, led, well_formed
from domain.ids import TenantId
from domain.tenants import TenantIdText

FORMAT: Final = "asiento-log"
VERSION: Final = 1
LINE_BYTES_MAX: Final = 64 << 20
"""No event comes near it; a file with a longer line is not one of ours."""

RECIPE: Final = """\
Each line is a JSON object: a header, one event a line by position 1, 2, 3 ..., a trailer. \
Lines of kind "key" may stand between the events and the trailer.
hash(n) = SHA-256(hash(n-1) || envelope(n)); hash(0) is 32 bytes of zero.
The envelope is nine fields, each led by its length in bytes (decimal ASCII) and a colon: \
tenant ({tenant}), position, type, tags joined by U+001F, recorded_at, actor, correlation_id, \
causation_id, data. Text is UTF-8, numbers are decimal.
recorded_at is microseconds since 1970-01-01T00:00:00Z. data is the event's JSON text, byte for \
byte. No tag is empty or holds U+001F.
The trailer repeats the number of events and the last position and hash; its sha256 is over the \
bytes of all lines before it, each with its line feed.
A log that was rewritten whole can be told only by an anchor, or by a head kept elsewhere."""
ENCODER: Final = Encoder()
TEXT_SEPARATOR: Final = SEPARATOR.decode()
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Position = Annotated[int, Meta(ge=0)]


class Line(
    Struct, frozen=True, kw_only=True, tag_field="line", forbid_unknown_fields=True, gc=False
):
    """A line says first what it is."""


class Anchored(Struct, frozen=True, kw_only=True):
    """An anchor that was made before the export: its number, time and digest (SHA-256)."""

    number: int
    made_at: datetime
    digest: Hash
    public_key: str


class Header(Line, tag="header", frozen=True, kw_only=True):
    """What the file is, and how to read it."""

    format: Literal["asiento-log"] = FORMAT
    version: Literal[1] = VERSION
    tenant: TenantIdText
    slug: str
    name: str
    country: str
    made_at: datetime
    archive: bool = False  # It holds all keys, wrapped, so that it may stand for the log.
    recipe: tuple[str, ...]
    types: dict[str, dict[str, object]]  # The JSON schema of each event type.
    anchors: tuple[Anchored, ...] = ()


class EventLine(Line, tag="event", frozen=True, kw_only=True):
    """An event with all that its hash covers. The time is in microseconds since 1970."""

    position: Annotated[int, Meta(ge=1)]
    type: str
    tags: tuple[str, ...]
    recorded_at: int
    actor: str
    correlation_id: str
    causation_id: str
    data: str
    hash: Hash


class KeyLine(Line, tag="key", frozen=True, kw_only=True):
    """A key of a data subject: wrapped by a master key, or open where none is named."""

    subject: str
    generation: int
    master: str | None
    key: str | None  # In base64; null where what it sealed is forgotten.
    created_at: datetime
    forgotten_at: datetime | None


class Trailer(Line, tag="trailer", frozen=True, kw_only=True):
    """Where the log ended, and the SHA-256 over all lines before, line feeds included."""

    events: Position
    position: Position
    hash: Hash
    sha256: Hash


AnyLine = Header | EventLine | KeyLine | Trailer
DECODER: Final = Decoder(AnyLine)


def written(record: Record) -> EventLine:
    """Write a record as a line."""
    fields = record.fields()
    return EventLine(
        position=record.position,
        type=fields.type.decode(),
        tags=tuple(fields.tags.decode().split(TEXT_SEPARATOR)) if fields.tags else (),
        recorded_at=int(fields.recorded_at),
        actor=fields.actor.decode(),
        correlation_id=fields.correlation_id.decode(),
        causation_id=fields.causation_id.decode(),
        data=fields.data.decode(),
        hash=record.hash.hex(),
    )


def read(line: EventLine) -> Record:
    """Read a record from a line.

    Raises:
        Unfit: Its tags are such that its hash could not tell them from others.

    """
    tags = TEXT_SEPARATOR.join(line.tags)
    if not well_formed(tags.encode(), len(line.tags)):
        raise Unfit(line.position, "One of its tags is empty or holds a U+001F.")
    content = (
        str(line.position),
        line.type,
        tags,
        str(line.recorded_at),
        line.actor,
        line.correlation_id,
        line.causation_id,
        line.data,
    )
    return Record(
        line.position,
        len(line.tags),
        bytes.fromhex(line.hash),
        led(*(text.encode() for text in content)),
    )


def described(tenant: TenantId) -> tuple[str, ...]:
    """Say the recipe in words, so that the file can be checked by who has nothing but the file."""
    return tuple(RECIPE.format(tenant=tenant).split("\n"))
