"""What the harness and its writers say to each other: a line of JSON each."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from domain.ids import TenantId

Kind: TypeAlias = Literal["append", "claim", "issue"]
Said: TypeAlias = Literal["done", "repeated", "conflict", "refused", "failed", "gave_up", "lost"]
"""What an attempt came to.

done, repeated: it is in the log. conflict, refused, failed: it is not, the caller was told.
gave_up: the caller stopped waiting, or was told that nobody knows. lost: it was killed.
"""
UNKNOWN: Final = "store.outcome_unknown"


class Ask(Struct, frozen=True, kw_only=True):
    """One thing to append, always the same however often it is asked.

    Attributes:
        kind: *append* has no boundary; *claim* takes a name that only one may have; *issue*
            drafts an invoice and gives it the next number of a series, by the bus.
        name: What is claimed, or the invoice's id.

    """

    number: int
    kind: Kind
    tenant: TenantId
    name: str
    events: int = 1
    size_bytes: int = 100
    keyed: bool = True
    patience_seconds: float | None = None

    @property
    def key(self) -> str:
        return f"ask-{self.number}"


class Answer(Struct, frozen=True, kw_only=True):
    """What a writer tells of one attempt. The base is the position before the first event."""

    number: int
    said: Said
    base: int | None = None
    why: str = ""
