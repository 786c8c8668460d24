"""What the rows must be: every log is folded here once more, by itself, and held against them.

The rule: each row is what its events say, stands at the last of them, and no other is there;
every reader is at the head of its log; every job that was queued is in the queue, every event
that a reaction is for has led to one command, and every event was sent to whom it is for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, LiteralString, TypeAlias

import dramatiq
import msgspec
from msgspec import Struct
from psycopg import sql

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.rows import row_decoder
from adapters.postgres.models.search import search_text
from adapters.postgres.models.tables import SEARCH, columns_of
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.subject_keys import PostgresSubjectKeys
from adapters.redis.broker import QUEUE, make_broker
from adapters.runtime import Runtime
from adapters.webhooks.ledger import list_deliveries
from application.codec import decode_written
from application.vault import Vault
from domain.ids import SYSTEM_TENANT, TenantId
from domain.imports import FileReceived
from domain.jobs import JobQueued, JobWaiting
from domain.kernel import Event
from domain.webhooks import EndpointId
from projections.kernel import ReadModel, events_of, fold, read_models
from tests.faults.model import Finding
from tests.soak.hooks import Hooks
from tests.soak.messages import Endpoint, delivered, endpoints_of
from tests.soak.reactions import LEFT

PAGE_EVENTS: Final = 5_000
SHOWN_MAX: Final = 5
HEADS: LiteralString = "SELECT tenant_id::text, position FROM heads_v1()"
CURSORS: LiteralString = "SELECT tenant_id::text, consumer, position, error FROM cursors_v1()"
EVENTS: LiteralString = """
SELECT position, type, data FROM event WHERE tenant_id = %s AND position > %s
ORDER BY position LIMIT %s
"""
Model: TypeAlias = type[ReadModel[Any]]  # Any: of any row.
History: TypeAlias = list[tuple[int, Event]]


class Found(Struct, frozen=True):
    """A row as it is to be, or is: its columns by name, and the position that made it so."""

    columns: dict[str, object]
    position: int


class Behind(Struct, frozen=True):
    """A reader that is not at the head of a log, and what stopped it, if something did."""

    name: str
    position: int
    head: int
    error: str | None

    @property
    def told(self) -> str:
        return f"{self.name} is at {self.position} of {self.head}: {self.error}"


async def judge(runtime: Runtime, hooks: Hooks) -> list[Finding]:
    """Hold every row, the queue and what was sent against the logs; they must be at rest."""
    vault = Vault(PostgresSubjectKeys.of_pool(runtime.pool, runtime.keyring))
    found: list[Finding] = []
    queued: set[str] = set()
    endpoints: dict[EndpointId, Endpoint] = {}
    for tenant in await heads(runtime):
        history = await _history(runtime, vault, tenant)
        queued |= {event.job for _, event in history if isinstance(event, JobQueued)}
        found += reacted(event for _, event in history)
        endpoints |= endpoints_of(history)
        for model in read_models().values():
            if model.system == (tenant == SYSTEM_TENANT):
                there = await _there(runtime, tenant, model)
                found += compare(f"{model.name} of {tenant}", folded(model, history), there)
    found += missing(queued, queue_of(runtime))
    return [*found, *delivered(endpoints, hooks.taken)]


async def heads(runtime: Runtime) -> dict[TenantId, int]:
    """Tell how long each log is."""
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        rows = await (await connection.execute(HEADS)).fetchall()
    return {TenantId(tenant): position for tenant, position in rows}


async def behind(runtime: Runtime) -> list[Behind]:
    """Name the readers that are not at the head of a log."""
    ends = await heads(runtime)
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        rows = await (await connection.execute(CURSORS)).fetchall()
    places = {(TenantId(tenant), name): (position, error) for tenant, name, position, error in rows}
    for tenant in ends:
        for model in read_models().values():
            if model.system == (tenant == SYSTEM_TENANT):
                places.setdefault((tenant, consumer_of(model)), (0, None))
    late = [
        Behind(f"{name} of {tenant}", position, ends[tenant], error)
        for (tenant, name), (position, error) in places.items()
        if position != ends[tenant] or error is not None
    ]
    return [*late, *[each for tenant in ends for each in await _unsent(runtime, tenant)]]


async def _unsent(runtime: Runtime, tenant: TenantId) -> list[Behind]:
    """Name the endpoints that something is still to be sent to. An error of one ends nothing."""
    return [
        Behind(f"webhook {each.endpoint} of {tenant}", each.position, each.head, None)
        for each in await list_deliveries(runtime.pool, tenant)
        if each.active and each.position != each.head
    ]


def folded(model: Model, history: Iterable[tuple[int, Event]]) -> dict[str, Found]:
    """Fold a whole log in memory, from its first event to its last."""
    rows: dict[str, Any] = {}  # Any: rows of the model.
    positions: dict[str, int] = {}
    understood = events_of(model)
    for position, event in history:
        if isinstance(event, understood):
            positions |= dict.fromkeys(fold(model, rows, event), position)
    return {key: Found(_columns(model, row), positions[key]) for key, row in rows.items()}


def compare(
    what: str, wanted: Mapping[str, Found], there: Mapping[str, Found]
) -> Iterator[Finding]:
    """Tell in what the rows of a table differ from what they are to be."""
    for key, row in wanted.items():
        if key not in there:
            yield Finding(kind="missing", text=f"{what}: {key} of event {row.position}.")
        elif differing := [
            name for name, value in row.columns.items() if there[key].columns[name] != value
        ]:
            told = ", ".join(f"{n} is {there[key].columns[n]!r}" for n in differing[:SHOWN_MAX])
            yield Finding(kind="differs", text=f"{what}: of {key} {told}.")
        elif there[key].position != row.position:
            at = there[key].position
            yield Finding(kind="misplaced", text=f"{what}: {key} is at {at}, not {row.position}.")
    for key in there.keys() - wanted.keys():
        yield Finding(kind="stray", text=f"{what}: {key} is there, and no event made it.")


def missing(wanted: Iterable[str], queued: Mapping[str, int]) -> Iterator[Finding]:
    """Tell which jobs never got into the queue. Twice does no harm: a job is done once."""
    for job in wanted:
        if job not in queued:
            yield Finding(kind="never", text=f"Job {job} was wanted, and is not in the queue.")


def reacted(history: Iterable[Event]) -> Iterator[Finding]:
    """Tell which files that were left did not lead to one command."""
    left, noted = [], Counter[str]()
    for event in history:
        if isinstance(event, FileReceived) and event.name == LEFT:
            left.append(event.job)
        elif isinstance(event, JobWaiting):
            noted[event.job] += 1
    for job in left:
        if noted[job] != 1:
            kind = "twice" if noted[job] else "never"
            yield Finding(kind=kind, text=f"The file of job {job} led to {noted[job]} commands.")


def queue_of(runtime: Runtime) -> Counter[str]:
    """Count how often each job is in the queue, where nobody takes any out."""
    broker = make_broker(runtime.settings.redis_url or "")
    messages: Any = broker.client.hvals(f"{broker.namespace}:{QUEUE}.msgs")  # Any: as redis has it.
    broker.close()
    decoded = (dramatiq.Message[None].decode(message) for message in messages)
    return Counter(message.args[1] for message in decoded)


def _columns(model: Model, row: Any) -> dict[str, object]:  # noqa: ANN401 - a row of the model.
    columns = {column.name: getattr(row, column.name) for column in columns_of(model.row)}
    return columns | ({SEARCH: search_text(model, row)} if model.search else {})


async def _history(runtime: Runtime, vault: Vault, tenant: TenantId) -> History:
    history: History = []
    async with tenant_transaction(runtime.pool, tenant) as connection:
        while True:
            after = history[-1][0] if history else 0
            page = await connection.execute(EVENTS, (tenant, after, PAGE_EVENTS))
            records = await page.fetchall()
            written = [decode_written(name, data, at) for at, name, data in records]
            opened = await vault.open(tenant, written)
            history += zip((record[0] for record in records), opened, strict=True)
            if len(records) < PAGE_EVENTS:
                return history


async def _there(runtime: Runtime, tenant: TenantId, model: Model) -> dict[str, Found]:
    """Read every row: its fields as the row they make, the rest as it is stored."""
    columns = columns_of(model.row)
    fields = [column.name for column in columns if not column.derived]
    others = [column.name for column in columns if column.derived]
    others += [SEARCH] if model.search else []
    asked = sql.SQL("SELECT {}, position FROM {} WHERE tenant_id = %s").format(
        sql.SQL(", ").join(map(sql.Identifier, (*fields, *others))),
        sql.Identifier(table_name(model)),
    )
    decode = row_decoder(model.row)
    async with tenant_transaction(runtime.pool, tenant) as connection:
        records = await (await connection.execute(asked, (tenant,))).fetchall()
    found: dict[str, Found] = {}
    for record in records:
        row = msgspec.structs.asdict(decode(record[: len(fields)]))
        stored = dict(zip(others, record[len(fields) : -1], strict=True))
        found[row[model.key]] = Found(row | stored, record[-1])
    return found
