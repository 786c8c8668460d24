"""`asiento reactions`: what events lead to by themselves, what was refused, and doing it again."""

from datetime import datetime
from typing import Annotated, LiteralString

from cyclopts import Parameter
from msgspec import Struct

from adapters.audit.registry import all_owners
from adapters.cli.failures import FAILED
from adapters.cli.options import LogOption
from adapters.cli.output import Result, Table, counted, moment
from adapters.cli.session import find_log, with_runtime
from adapters.mail.opening import open_mailer
from adapters.mail.resending import Letters, Resending
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.projecting.reactions import Reacting
from adapters.postgres.projecting.standing import look
from adapters.runtime import Runtime
from application.errors import NotFound
from application.reactions import actor_of, events_of, reactions
from domain.ids import TenantId

LETTERS: LiteralString = """
SELECT reaction, position, code, message, refused_at FROM dead_letter
WHERE tenant_id = %s AND (%s::text IS NULL OR reaction = %s) ORDER BY reaction, position
"""


class Listed(Struct, frozen=True, kw_only=True):
    """A reaction: what it reacts to, how far behind it is in all logs, and its dead letters."""

    name: str
    events: tuple[str, ...]
    lag: int
    failed: int
    dead_letters: int


class Dead(Struct, frozen=True, kw_only=True):
    """An event whose command was refused."""

    reaction: str
    tenant: TenantId
    slug: str
    position: int
    code: str
    message: str
    refused_at: datetime


class Replayed(Struct, frozen=True, kw_only=True):
    """What became of one event on replay; no code: its command is run, now or before."""

    position: int
    code: str | None
    message: str | None


def list_all() -> Result:
    """List the reactions there are, how far they are, and how much was refused."""

    async def work(runtime: Runtime) -> list[Listed]:
        known = reactions().values()
        names = tuple([actor_of(r) for r in known if r.system == of] for of in (False, True))
        standing = await look(runtime.pool, (names[0], names[1]))
        behind = {each.name: each for each in standing.totals}
        return [
            Listed(
                name=each.name,
                events=tuple(event.__name__ for event in events_of(each)),
                lag=behind[actor_of(each)].events if actor_of(each) in behind else 0,
                failed=behind[actor_of(each)].failed if actor_of(each) in behind else 0,
                dead_letters=standing.dead_letters.get(each.name, 0),
            )
            for each in known
        ]

    found = with_runtime(work)
    columns = ("NAME", "EVENTS", "LAG", "FAILED", "DEAD LETTERS")
    rows = [(e.name, ", ".join(e.events), e.lag, e.failed, e.dead_letters) for e in found]
    return Result(document=found, people=(Table(columns, rows),))


def dead(
    *,
    tenant: Annotated[
        str | None, Parameter(help="Only those of this tenant, named by its short name.")
    ] = None,
    reaction: Annotated[str | None, Parameter(help="Only those of this reaction.")] = None,
) -> Result:
    """List the events whose command was refused, and why."""

    async def work(runtime: Runtime) -> list[Dead]:
        owners = await all_owners(runtime)
        if tenant is not None:
            owner = await find_log(runtime, tenant)
            owners = [each for each in owners if each.tenant == owner]
        return [
            Dead(
                reaction=name,
                tenant=owner.tenant,
                slug=owner.slug,
                position=position,
                code=code,
                message=message,
                refused_at=at,
            )
            for owner in owners
            for name, position, code, message, at in await _letters(runtime, owner.tenant, reaction)
        ]

    found = with_runtime(work)
    columns = ("REACTION", "TENANT", "EVENT", "CODE", "MESSAGE", "REFUSED")
    rows = [
        (e.reaction, e.slug, e.position, e.code, e.message, moment(e.refused_at)) for e in found
    ]
    return Result(document=found, people=(Table(columns, rows),))


def replay(
    name: str,
    /,
    *,
    tenant: LogOption,
    position: Annotated[
        int | None, Parameter(help="Only this event; else all dead letters of the reaction.")
    ] = None,
) -> Result:
    """Run the commands of dead letters now. An event whose command was run leads to no second.

    Args:
        name: The reaction, as `asiento reactions list` names it.
        tenant: The log of the events.
        position: An event of that log, a dead letter or not, such as one from before the
            reaction was there.

    """

    async def work(runtime: Runtime) -> list[Replayed]:
        reacting = _reacting(runtime, name)
        owner = await find_log(runtime, tenant)
        places = [position]
        if position is None:
            places = [place for _, place, *_ in await _letters(runtime, owner, name)]
        return [await _replayed(runtime, reacting, owner, each or 0) for each in places]

    found = with_runtime(work)
    refused = [each for each in found if each.code is not None]
    said = f"Replayed {counted(len(found), 'event')}, {len(refused)} refused."
    rows = [(each.position, each.code, each.message) for each in refused]
    people = (said, Table(("EVENT", "CODE", "MESSAGE"), rows)) if rows else (said,)
    return Result(document=found, people=people, code=FAILED if refused else 0)


def _reacting(runtime: Runtime, name: str) -> Reacting:
    if name == Letters.name:
        return Resending(runtime, open_mailer(runtime.settings))
    reaction = reactions().get(name)
    if reaction is None:
        raise NotFound(
            "reactions.unknown",
            f"There is no reaction {name}.",
            hint="`asiento reactions list` names what there is.",
        )
    return Reacting(reaction, runtime.bus, runtime.vault)


async def _replayed(
    runtime: Runtime, reacting: Reacting, tenant: TenantId, position: int
) -> Replayed:
    letter = await reacting.replay(runtime.pool, tenant, position)
    if letter is None:
        return Replayed(position=position, code=None, message=None)
    return Replayed(position=position, code=letter.code, message=letter.message)


async def _letters(
    runtime: Runtime, tenant: TenantId, reaction: str | None
) -> list[tuple[str, int, str, str, datetime]]:
    async with tenant_transaction(runtime.pool, tenant) as connection:
        found = await connection.execute(LETTERS, (tenant, reaction, reaction))
        return await found.fetchall()
