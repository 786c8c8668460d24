"""`asiento projections`: how far each read model is, and the ways on when one stands still."""

import asyncio
from collections.abc import Iterator
from typing import Final, LiteralString, TypeAlias

from msgspec import Struct

from adapters.cli.output import Result, Table, counted, progress
from adapters.cli.session import look_up_tenant, with_runtime, with_servers
from adapters.keyring import open_keyring
from adapters.postgres.connections import tenant_transaction
from adapters.runtime import Runtime
from adapters.settings import Settings
from domain.ids import SYSTEM_TENANT
from projections.kernel import read_models

SYSTEM_SLUG: Final = "system"
HEADS: LiteralString = "SELECT tenant_id::text, position FROM heads_v1()"
CURSORS: LiteralString = (
    "SELECT tenant_id::text, consumer, position, failed, error FROM cursors_v1()"
)
SLUGS: LiteralString = "SELECT tenant, slug FROM tenants WHERE tenant_id = %s"

Cursors: TypeAlias = dict[tuple[str, str], tuple[int, int | None, str | None]]
"""Position, failed position and error, by tenant and consumer."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far one projection is in one log; the lag counts events."""

    name: str
    version: int | None
    tenant: str
    slug: str
    position: int
    head: int
    lag: int
    status: str  # current, behind or failed.
    failed_position: int | None = None
    error: str | None = None


def list_all() -> Result:
    """Show how far each projection is, for each tenant."""

    async def work(runtime: Runtime) -> Result:
        found = await find_progress(runtime)
        columns = ("NAME", "TENANT", "POSITION", "HEAD", "LAG", "STATUS", "ERROR")
        rows = [
            (each.name, each.slug, each.position, each.head, each.lag, each.status, each.error)
            for each in found
        ]
        return Result(document=found, people=(Table(columns, rows),))

    return with_runtime(work)


async def find_progress(runtime: Runtime) -> list[Progress]:
    """Compare every cursor with the head of its log."""
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        slugs: dict[str, str] = dict(
            await (await connection.execute(SLUGS, (SYSTEM_TENANT,))).fetchall()
        )
        # The cursors first: a head that is read later is never behind them.
        cursors: Cursors = {
            (tenant, name): (position, failed, error)
            for tenant, name, position, failed, error in await (
                await connection.execute(CURSORS)
            ).fetchall()
        }
        heads: dict[str, int] = dict(await (await connection.execute(HEADS)).fetchall())
    slugs[SYSTEM_TENANT] = SYSTEM_SLUG
    found = _compared(heads, cursors, slugs)
    return sorted(found, key=lambda each: (each.name, each.slug, each.tenant))


def _compared(heads: dict[str, int], cursors: Cursors, slugs: dict[str, str]) -> Iterator[Progress]:
    models = read_models()
    for tenant, head in heads.items():
        names = {n for n, model in models.items() if model.system == (tenant == SYSTEM_TENANT)}
        names |= {name for owner, name in cursors if owner == tenant}
        for name in names:
            position, failed, error = cursors.get((tenant, name), (0, None, None))
            late = "behind" if position < head else "current"
            yield Progress(
                name=name,
                version=models[name].version if name in models else None,
                tenant=tenant,
                slug=slugs.get(tenant, ""),
                position=position,
                head=head,
                lag=max(0, head - position),
                status=late if failed is None else "failed",
                failed_position=failed,
                error=error,
            )


def rebuild(name: str, /, *, tenant: str | None = None) -> Result:
    """Fold a read model anew from its events, while the former one goes on serving.

    Args:
        name: The read model, such as `invoices`.
        tenant: Only the rows of this tenant, named by its short name.

    """
    from adapters.postgres.rebuild import rebuild as run_rebuild  # noqa: PLC0415 - seldom needed.

    def work(settings: Settings) -> Result:
        owner = look_up_tenant(settings, tenant) if tenant else None
        with progress() as bars:
            bar = bars.add_task("rebuild", total=None, said="")

            def advance(done: int, total: int) -> None:
                bars.update(bar, completed=done, total=total)

            url = settings.database_admin_url or settings.database_url or ""
            done = asyncio.run(
                run_rebuild(url, name, owner, keyring=open_keyring(settings), on_progress=advance)
            )
        said = (
            f"Rebuilt {done.name}: {counted(done.rows, 'row')} of {counted(done.events, 'event')}"
            f" in {done.seconds:.1f} s, {done.events_per_second:,.0f} events/s."
        )
        return Result(document=done, people=(said,))

    return with_servers(work)
