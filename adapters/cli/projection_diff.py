"""`asiento projections diff`: which rows changed between two moments, field by field."""

from typing import Annotated

from cyclopts import Parameter

from adapters.cli.history import change_table
from adapters.cli.options import LogOption
from adapters.cli.output import Result, Shown, counted
from adapters.cli.session import find_log, operator, with_runtime
from adapters.history import find_model, readable_models
from adapters.postgres.models.conditions import Model
from adapters.postgres.models.differences import Differences, Span, differences
from adapters.postgres.models.moments import open_log, position_at, read_as_of
from adapters.postgres.models.paging import FIRST_MAX, checked_first
from adapters.runtime import Runtime
from application.errors import Malformed, NotFound
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import read_models

From = Annotated[str, Parameter(name="--from", help="A position, or a moment with its offset.")]
To = Annotated[str | None, Parameter(name="--to", help="The same; left out: what is so now.")]
First = Annotated[int, Parameter(help=f"Rows to show, {FIRST_MAX} at the most.")]
After = Annotated[int, Parameter(help="Go on behind this position, the `next` of the part before.")]


def diff(
    name: str,
    /,
    *,
    tenant: LogOption,
    from_: From,
    to: To = None,
    first: First = FIRST_MAX,
    after: After = 0,
) -> Result:
    """Say which rows of a read model changed between two moments, and what in them.

    Args:
        name: The read model, such as `invoices`.
        tenant: Whose books; `system` holds what belongs to no tenant.
        from_: The moment before.
        to: The moment after.
        first: Rows to show.
        after: Go on behind this position.

    """

    async def work(runtime: Runtime) -> Result:
        owner = await find_log(runtime, tenant)
        model = _model(name, owner)
        log = await open_log(runtime, model, owner)
        span = await _span(runtime, owner, from_, to)
        found = await differences(log, model, span, first=checked_first(first), behind=after)
        about = {"name": model.name, "tenant": owner, "from": span.before, "to": span.after}
        document = {**about, "rows": found.rows, "next": found.next}
        return Result(document=document, people=tuple(_told(found, span)))

    return with_runtime(work)


def _model(name: str, owner: TenantId) -> Model:
    known = read_models().get(name)
    if known is not None and not known.public:
        raise NotFound(
            "history.unknown_model",
            f"The rows of {name} are shown to nobody.",
            hint=f"Ask for one of {', '.join(readable_models(operator(owner)))}.",
        )
    model = find_model(name, operator(owner))
    if model.system and owner != SYSTEM_TENANT:
        raise NotFound(
            "history.unknown_model",
            f"{model.name} is folded from the log of what belongs to no tenant.",
            hint="Say --tenant system.",
        )
    return model


async def _span(runtime: Runtime, tenant: TenantId, from_: str, to: str | None) -> Span:
    before = await position_at(runtime, tenant, read_as_of(from_))
    if to is None:
        after = await runtime.store.head(tenant)
    else:
        after = await position_at(runtime, tenant, read_as_of(to))
    if after < before:
        raise Malformed(
            "query.bad_moment",
            f"Position {before} (--from) comes after position {after} (--to).",
            hint="Name the earlier moment first.",
        )
    return Span(before, after)


def _told(found: Differences, span: Span) -> list[Shown]:
    told: list[Shown] = []
    for row in found.rows:
        told += [f"{row.id}:", change_table(row.changes)]
    between = f"between positions {span.before} and {span.after}"
    told.append(f"{counted(len(found.rows), 'row')} changed {between}.")
    if found.next is not None:
        told.append(f"There may be more: --after {found.next}")
    return told
