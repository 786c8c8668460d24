"""`asiento audit explain`: why a row is what it is, event by event and field by field."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter

from adapters.cli.options import LogOption
from adapters.cli.output import Result, Shown, Table, moment
from adapters.cli.session import find_log, operator, with_runtime
from adapters.history import find_model, read_history
from adapters.postgres.models.paging import FIRST_MAX
from adapters.runtime import Runtime
from application.history import FieldChange, HistoryEntry, HistoryPage, ImportSource

LINES_SHOWN_MAX = 10
Id = Annotated[str, Parameter(name="ID")]
First = Annotated[int, Parameter(help=f"Events to show, {FIRST_MAX} at the most.")]
After = Annotated[int, Parameter(help="Go on behind this position.")]


def explain(
    model: str, id_: Id, /, *, tenant: LogOption, first: First = FIRST_MAX, after: After = 0
) -> Result:
    """Say why a row is what it is: each event that touched it, and what it changed.

    Args:
        model: What the row is of, such as `invoice`.
        id_: The row's id, or what else only it goes by, such as the number of an invoice.
        tenant: Whose books; `system` holds what belongs to no tenant.
        first: Events to show, 100 at the most.
        after: Go on behind this position.

    """

    async def work(runtime: Runtime) -> Result:
        context = operator(await find_log(runtime, tenant))
        page = await read_history(runtime, context, model, id_, first=first, after=after)
        document = {
            "model": find_model(model, context).name,
            "id": page.id,
            "entries": page.entries,
            "has_next": page.has_next,
        }
        return Result(document=document, people=tuple(_told(page, id_)))

    return with_runtime(work)


def _told(page: HistoryPage, asked: str) -> list[Shown]:
    told: list[Shown] = [] if page.id == asked else [f"{asked} is {page.id}."]
    for entry in page.entries:
        told.append(_heading(entry))
        if entry.source is not None:
            told.append(_source(entry.source))
        told.append(change_table(entry.changes) if entry.changes else "Nothing changed.")
    if page.has_next:
        told.append(f"There is more: --after {page.entries[-1].position}")
    return told


def change_table(changes: Sequence[FieldChange]) -> Table:
    """Draw each field before and after."""
    rows = [(c.field, _shown(c.before), _shown(c.after)) for c in changes]
    return Table(("FIELD", "BEFORE", "AFTER"), rows)


def _heading(entry: HistoryEntry) -> str:
    who = f"{entry.actor} ({entry.actor_name})" if entry.actor_name else entry.actor
    why = f", by {entry.command}" if entry.command else ""
    return (
        f"Event {entry.position}, {entry.type}, {moment(entry.recorded_at)} UTC,"
        f" {who}{why}, request {entry.correlation_id}:"
    )


def _source(source: ImportSource) -> str:
    lines = ", ".join(map(str, source.lines[:LINES_SHOWN_MAX]))
    more = ", …" if len(source.lines) > LINES_SHOWN_MAX else ""
    return (
        f"From {source.file_name or 'an import'}"
        + (f", line {lines}{more}" if lines else "")
        + f", batch {source.batch}."
    )


def _shown(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
