"""A log against an anchor: while its chain is recomputed, the hash at the anchored head is noted.

So a log is found out that is whole in itself, and still not the one there was.
"""

from collections.abc import Iterator

from adapters.anchors.checking import disagreement
from adapters.audit.chain import Chain, Finding
from adapters.audit.recipe import Record
from application.anchors import Head


class Mark:
    """The head of a log as it was anchored."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._hash: str | None = None

    def watch(self, chain: Chain, records: Iterator[Record]) -> Iterator[Record]:
        """Pass *records* on to *chain*, and note the hash where it reaches the head."""
        for record in records:
            yield record
            # The chain took it before it asks for the next.
            if chain.done == self._head.position:
                self._hash = chain.link.hex()

    def compare(self, chain: Chain) -> Finding | None:
        """Say how the log that *chain* followed to its end contradicts the anchor."""
        reason = disagreement(self._head, end=chain.done, hash_there=self._hash)
        if reason is None:
            return None
        return Finding(min(chain.done + 1, self._head.position), "anchor", reason)
