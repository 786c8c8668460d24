"""A tenant with receivers outside, on a real PostgreSQL; it is sent when the test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from msgspec.structs import asdict

from adapters.embedded.servers import Urls
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime, reach_of
from adapters.settings import Settings
from adapters.webhooks.delivering import Deliverer
from adapters.webhooks.endpoints import Endpoints
from adapters.webhooks.ledger import (
    DeadLetter,
    Delivery,
    delivery_of,
    list_deliveries,
    list_letters,
)
from adapters.webhooks.sending import Sender, open_sender
from application.kernel import Outcome, build, exposed_commands
from application.ports import QueryItem, StoredEvent
from domain.ids import TenantId
from domain.kernel import Command
from domain.webhooks import EndpointId, RegisterWebhook
from tests.cli.conftest import Environment, shell
from tests.privacy.conftest import Desk
from tests.webhooks.receiver import Receiver, receiving

SECONDS_MAX = 20.0


@pytest.fixture(scope="module")
def settings(database: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings by which what takes days takes moments, and a receiver may be next door."""
    return Settings(
        database_url=database.database_url,
        database_admin_url=database.admin_database_url,
        redis_url=database.redis_url,
        asiento_data=tmp_path_factory.mktemp("data"),
        webhook_allow_http=True,
        webhook_allow_private=True,
        webhook_seconds_max=0.5,
        webhook_retry_seconds="0.05,0.05",
        webhook_dead_letters_max=2,
    )


def exported(settings: Settings) -> Environment:
    """Write settings as a shell would export them."""
    return shell(**{name.upper(): str(value) for name, value in asdict(settings).items() if value})


class Office:
    """Does business and registers endpoints, on behalf of one tenant."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self.runtime = runtime
        self.deliverer = Deliverer(runtime, sender)
        self.act_for(TenantId(str(uuid4())))

    def act_for(self, tenant: TenantId) -> None:
        self.tenant = tenant
        self.desk = Desk(self.runtime, tenant)
        self.context = self.desk.context

    async def execute(self, command: Command) -> Outcome:
        return await self.runtime.bus.execute(command, self.context)

    async def register(self, receiver: Receiver, **given: object) -> tuple[EndpointId, str]:
        """Register a receiver, and return its endpoint with the secret that was shown."""
        asked = {"url": receiver.url, **given}
        return await self.shown(build(RegisterWebhook, asked, self.runtime.clock))

    async def shown(self, command: Command) -> tuple[EndpointId, str]:
        outcome = await self.execute(command)
        show = exposed_commands()[type(command)].secret
        assert show is not None
        secret = await show(self.runtime.vault, self.tenant, command, outcome)
        assert secret is not None
        return EndpointId(getattr(command, "endpoint")), secret  # noqa: B009 - both have it.

    async def record(self, number: str, code: str = "C7") -> int:
        """Make something happen; return its position."""
        return (await self.desk.record(number, code)).position

    async def follow(self) -> None:
        """Let the consumer follow the log."""
        await Projector(self.runtime.pool, self.runtime.vault, [Endpoints()]).catch_up()

    async def push(self) -> None:
        """Give each endpoint of the tenant that has something to be sent one turn."""
        await self.follow()
        await self.deliverer.look([self.tenant])
        await self.deliverer.settle()

    async def until(self, true: Callable[[], object]) -> None:
        """Go on until something is so."""
        async with asyncio.timeout(SECONDS_MAX):
            while not true():
                await self.push()
                await asyncio.sleep(0.02)

    async def idle(self) -> None:
        """Go on until every endpoint that is not paused has had all."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                await self.push()
                if all(not each.active or each.position == each.head for each in await self.all()):
                    return
                await asyncio.sleep(0.02)

    async def all(self) -> list[Delivery]:
        return await list_deliveries(self.runtime.pool, self.tenant)

    async def delivery(self, endpoint: EndpointId) -> Delivery:
        return await delivery_of(self.runtime.pool, self.tenant, endpoint)

    async def letters(self, endpoint: EndpointId) -> list[DeadLetter]:
        pool = self.runtime.pool
        return await list_letters(pool, self.tenant, endpoint, after=0, limit=100)

    async def events(self, kind: str) -> list[StoredEvent]:
        """Read what happened of one type."""
        query = [QueryItem(types=(kind,))]
        return [stored async for stored in self.runtime.store.read(self.tenant, query)]


@pytest.fixture
async def office(runtime: Runtime) -> AsyncIterator[Office]:
    seconds_max = runtime.settings.webhook_seconds_max
    async with open_sender(reach_of(runtime.settings), seconds_max) as sender:
        office = Office(runtime, sender)
        yield office
        await office.deliverer.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
