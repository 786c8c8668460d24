"""Who reads a log beside the read models: each is told of its own kinds of events, exactly once.

What a consumer does and how far it came are one transaction; what it does elsewhere may happen
again after a crash, so that it has to bear that.
"""

from typing import Protocol

from adapters.postgres.connections import Connection
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.subject_keys import DESTROYER
from domain.ids import TenantId
from projections.kernel import read_models


class Consumer(Protocol):
    """Takes what is new in a log.

    Attributes:
        name: Its cursors go by it.
        types: The events it is for, as they are stored; none: all. Past others it is moved along.

    """

    name: str
    types: tuple[str, ...]

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int, /
    ) -> Folded:
        """Take what stands behind *after*, inside the caller's transaction; say how far it came."""
        ...


def consumer_names() -> tuple[list[str], list[str]]:
    """Name the consumers that need only the database: those of tenants, those of the system."""
    models = read_models().values()
    tenants, system = (
        [consumer_of(model) for model in models if model.system == of] for of in (False, True)
    )
    return [DESTROYER, *tenants], [DESTROYER, *system]
