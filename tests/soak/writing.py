"""Constant writes of several modules by many tenants, through the bus as every surface does it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final
from uuid import UUID

from adapters.runtime import Runtime
from application.errors import ApplicationError
from application.kernel import EVERYTHING, Context, Outcome
from domain.ids import TenantId
from domain.kernel import Command, Refused
from domain.tenants import CreateTenant, Slug
from domain.webhooks import EndpointId
from tests.soak.hooks import Hooks

CLIENTS: Final = 6
TENANTS: Final = 12
ENDPOINTS_MAX: Final = 8
PAUSE_SECONDS_MAX: Final = 0.05


class Writer:
    """Executes commands for one tenant or another, and counts what came of each.

    Attributes:
        said: How often each answer was given: done, or the code of a refusal or an error.
        told: How often each story was told to its end.
        endpoints: What is sent webhooks, and whose it is.

    """

    def __init__(self, runtime: Runtime, random: Random, hooks: Hooks) -> None:
        self.runtime = runtime
        self.hooks = hooks
        self.endpoints: list[tuple[TenantId, EndpointId]] = []
        self.random = random
        self.said: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.tenants = [TenantId(self.new_id()) for _ in range(TENANTS)]

    def new_id(self) -> str:
        """Make an id, the same ones for the same seed as long as nothing is late."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    async def open_books(self) -> None:
        """Create the companies that are written for."""
        for number, tenant in enumerate(self.tenants):
            await self.do(tenant, new_company(tenant, number))

    async def do(self, tenant: TenantId, *commands: Command) -> bool:
        """Execute *commands* together; tell whether all of them happened, as far as one knows."""
        answers: Sequence[Outcome | Refused] = ()
        try:
            if len(commands) == 1:
                answers = [await self.runtime.bus.execute(commands[0], _context(tenant))]
            else:
                answers = await self.runtime.bus.execute_many(commands, _context(tenant))
        except Refused as refusal:
            answers = [refusal]
        except ApplicationError as error:
            self.said[error.code] += len(commands)
        for answer in answers:
            self.said[answer.code if isinstance(answer, Refused) else "done"] += 1
        return len(answers) == len(commands) and not any(isinstance(a, Refused) for a in answers)

    async def rest(self) -> None:
        await asyncio.sleep(self.random.uniform(0, PAUSE_SECONDS_MAX))


def new_company(tenant: TenantId, number: int) -> CreateTenant:
    return CreateTenant(
        tenant=tenant, slug=Slug(f"s-{tenant[:8]}"), name=f"Company {number}", country="ES"
    )


def _context(tenant: TenantId) -> Context:
    return Context(
        tenant=tenant,
        actor="user:ana",
        permissions=frozenset({EVERYTHING}),
        correlation_id="",
    )
