"""What the log holds that is new to its readers: read once, opened once, for all that fold it.

An event that can't be read or opened stops whoever understands it, and nobody else; one of a type
that this code does not know stops everybody, as nobody can say whom it concerns.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final, LiteralString, TypeAlias

from msgspec import Struct

from adapters.postgres.connections import Connection
from application import codec
from application.errors import ApplicationError
from application.vault import UNKNOWN, Opener, SealBroken, Vault
from domain.ids import TenantId
from domain.kernel import Event
from domain.privacy import SubjectForgotten

BATCH_EVENTS: Final = 1_000
FORGETTING: Final = SubjectForgotten.__name__
UNKNOWN_EVENT: Final = "projection.unknown_event"

NEWS: LiteralString = """
SELECT position, type, data FROM event
WHERE tenant_id = %s AND position > %s
  AND (type = ANY (%s) OR type <> ALL (%s))
ORDER BY position LIMIT %s
"""
Records: TypeAlias = Sequence[tuple[int, str, str]]
"""Events as they are stored: position, type and data."""


class FoldingFailed(Exception):
    """An event could not be folded; those before it could.

    What a bug says of itself may name a person, so it is told by its kind and its place.
    """

    def __init__(self, position: int, cause: Exception, *, code: str = "") -> None:
        ours = isinstance(cause, ApplicationError | FoldingFailed)
        said = f"{type(cause).__name__}: {cause if ours else _place(cause)}"
        super().__init__(
            cause.message  # It names the event itself.
            if isinstance(cause, codec.UnknownEvent)
            else f"Event {position}: {said}"
        )
        self.position = position
        inner = (
            cause.code if isinstance(cause, SealBroken | FoldingFailed | codec.UnknownEvent) else ""
        )
        self.code: str = code or inner


class Item(Struct, frozen=True, gc=False):
    """An event of the log by the name it is stored under, or why it can't be read."""

    position: int
    name: str
    event: Event | None
    failure: FoldingFailed | None = None


class News(Struct, frozen=True, kw_only=True):
    """The next events of a log, in order, and how far they were looked for.

    A forgetting comes alone, so that it is done or not, whatever comes after it.
    """

    reached: int
    items: Sequence[Item]
    forgetting: SubjectForgotten | None = None


async def read_news(
    connection: Connection,
    tenant: TenantId,
    *,
    after: int,
    until: int,
    names: Collection[str],
    vault: Vault,
) -> News:
    """Read the next events behind *after* that are stored under one of *names*, up to *until*.

    Raises:
        Unavailable: A key of somebody whom they are about can't be had now.

    """
    asked = (tenant, after, [*{*names, FORGETTING}], list(codec.event_types()), BATCH_EVENTS)
    records = await (await connection.execute(NEWS, asked)).fetchall()
    return await news_of(records, tenant, until=until, vault=vault)


async def news_of(sent: Records, tenant: TenantId, *, until: int, vault: Vault) -> News:
    """Decode and open the next events, up to *until*; a full batch says how far it goes.

    Raises:
        Unavailable: A key of somebody whom they are about can't be had now.

    """
    records = [record for record in sent if record[0] <= until]
    is_full = len(records) == len(sent) == BATCH_EVENTS
    reached = records[-1][0] if is_full else until
    cut = next((n for n, (_, name, _) in enumerate(records) if name == FORGETTING), None)
    if cut is not None:
        reached = records[cut][0] - (1 if cut else 0)
        records = records[: cut or 1]
    items = await read_items(records, tenant, vault, erased=0)
    forgetting = items[0].event if cut == 0 else None
    assert forgetting is None or isinstance(forgetting, SubjectForgotten), "Found by its name."
    return News(reached=reached, items=items, forgetting=forgetting)


async def read_items(
    records: Records, tenant: TenantId, vault: Vault, *, erased: int = UNKNOWN
) -> list[Item]:
    """Decode and open what is stored; each says for itself what is wrong with it."""
    written = [_decoded(*record) for record in records]
    events = [item.event for item in written if item.event is not None]
    opener = await vault.opener(tenant, events, erased=erased)
    return list(_opened(written, opener))


def _place(error: Exception) -> str:
    """Name the line that raised an error."""
    frames = extract_tb(error.__traceback__)
    return f"in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _decoded(position: int, name: str, data: str) -> Item:
    try:
        return Item(position, name, codec.decode_written(name, data, position))
    except codec.UnknownEvent as error:
        code = UNKNOWN_EVENT if name not in codec.event_types() else error.code
        return Item(position, name, None, FoldingFailed(position, error, code=code))


def _opened(written: Iterable[Item], opener: Opener) -> Iterator[Item]:
    for item in written:
        if item.event is None:
            yield item
            continue
        try:
            yield Item(item.position, item.name, opener(item.event))
        except SealBroken as error:
            yield Item(item.position, item.name, None, FoldingFailed(item.position, error))


def concerns(item: Item, names: Collection[str]) -> bool:
    """Tell whether an event is one of those stored as *names*, or may be, for all we know."""
    return item.name in names or (item.failure is not None and item.failure.code == UNKNOWN_EVENT)


def opened(event: Event | None) -> Any:  # noqa: ANN401 - an event of some model's union.
    """Take the event of an item that has no failure."""
    assert event is not None, "What has no failure has an event."
    return event
