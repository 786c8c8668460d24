"""`asiento security`: what happened at the door of a company, the newest first."""

from datetime import UTC, datetime
from typing import Annotated, Final

from cyclopts import Parameter

from adapters.cli.options import LogOption
from adapters.cli.output import Result, Table, moment
from adapters.cli.session import find_log, operator, with_runtime
from adapters.postgres.models.paging import FIRST_MAX
from adapters.runtime import Runtime
from adapters.security.reading import SecurityAsked, read_security
from application.security import SecurityEntry

LIMIT_DEFAULT: Final = 50
AGENT_MAX: Final = 40
NAMED_MAX: Final = 3


def list_all(
    *,
    tenant: LogOption,
    user: Annotated[str | None, Parameter(help="About this person alone, by its id.")] = None,
    kind: Annotated[str | None, Parameter(help="Such as LoginFailed.")] = None,
    since: Annotated[datetime | None, Parameter(help="None before this; UTC.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = LIMIT_DEFAULT,
) -> Result:
    """List logins, failures, refusals and uses of keys, and who was given what."""
    moment_since = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since

    async def work(runtime: Runtime) -> list[SecurityEntry]:
        context = operator(await find_log(runtime, tenant))
        found: list[SecurityEntry] = []
        after: str | None = None
        while len(found) < limit:
            first = min(FIRST_MAX, limit - len(found))
            asked = SecurityAsked(
                first=first, after=after, user=user, kind=kind, since=moment_since
            )
            page = await read_security(runtime, context, asked)
            found += page.entries
            if not page.has_next:
                break
            after = page.entries[-1].cursor
        return found

    found = with_runtime(work)
    rows = [_row(each) for each in found]
    columns = ("AT", "KIND", "WHO", "BY", "FROM", "PROGRAM", "DETAILS")
    return Result(document=found, people=(Table(columns, rows),))


def _row(entry: SecurityEntry) -> tuple[object, ...]:
    details = " ".join(f"{name}={_text(value)}" for name, value in entry.details.items())
    agent = (entry.agent or "")[:AGENT_MAX]
    who = entry.user or entry.key
    return (moment(entry.at), entry.kind, who, entry.actor, entry.address, agent, details)


def _text(value: object) -> str:
    """Write a value, of a long list the first ones."""
    if not isinstance(value, list):
        return str(value)
    more = f" and {len(value) - NAMED_MAX} more" if len(value) > NAMED_MAX else ""
    return ",".join(map(str, value[:NAMED_MAX])) + more
