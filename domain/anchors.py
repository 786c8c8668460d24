"""Anchors: the heads of all logs at one moment, signed, each naming the one before it.

The anchor itself is a file, kept aside. The log keeps what is needed to know the file again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, NewType, TypeAlias

from msgspec import Meta

from domain.kernel import Boundary, Command, Event, Key, Refused, State

ChainName = NewType("ChainName", str)
Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{128}$")]

HEADS: Final = ChainName("heads")
"""The one chain there is: of the heads of all logs."""


class HeadsAnchored(Event):
    """The heads of all logs were signed. The digest is the SHA-256 of the file; all are in hex."""

    chain: Key[ChainName]
    number: int
    made_at: datetime
    digest: str
    previous: str | None
    heads: int
    public_key: str
    signature: str


AnchorEvent: TypeAlias = HeadsAnchored


class Anchors(State):
    """The last anchor of the chain."""

    number: int = 0
    digest: str | None = None
    made_at: datetime | None = None

    def evolve(self, event: AnchorEvent) -> "Anchors":
        return Anchors(number=event.number, digest=event.digest, made_at=event.made_at)


class AnchorHeads(Command):
    """Note a signed anchor. Noted again, nothing happens."""

    number: int
    made_at: datetime
    digest: Hex32
    previous: Hex32 | None
    heads: int
    public_key: Hex32
    signature: Hex64

    def boundary(self) -> tuple[Boundary[Anchors]]:
        return (Anchors.at(chain=HEADS),)

    def decide(self, anchors: Anchors) -> Iterator[AnchorEvent]:
        if self.digest == anchors.digest:
            return
        if (self.number, self.previous) != (anchors.number + 1, anchors.digest):
            raise Refused(
                "anchors.out_of_order",
                f"Anchor {self.number} does not follow anchor {anchors.number}, the last one.",
                hint="Another was made meanwhile. Make a new one.",
            )
        yield HeadsAnchored(
            chain=HEADS,
            number=self.number,
            made_at=self.made_at,
            digest=self.digest,
            previous=self.previous,
            heads=self.heads,
            public_key=self.public_key,
            signature=self.signature,
        )
