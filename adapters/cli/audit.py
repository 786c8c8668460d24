"""`asiento audit verify`: the proof that no event of a log was changed."""

from adapters.cli.failures import FAILED
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, progress
from adapters.cli.session import look_up_tenant, with_servers
from adapters.postgres.audit import verify as run_verify
from adapters.settings import Settings


def verify(*, tenant: TenantOption) -> Result:
    """Recompute the hash chain of a tenant's log, event by event.

    Exits with 1 and names the position where the log is not what was appended.
    """

    def work(settings: Settings) -> Result:
        url, owner = settings.database_url or "", look_up_tenant(settings, tenant)
        with progress() as bars:
            bar = bars.add_task("verify", total=None, said="")

            def advance(done: int, total: int) -> None:
                bars.update(bar, completed=done, total=total)

            verified = run_verify(url, owner, on_progress=advance)
        said = (
            f"The log of {tenant} is what was appended: {verified.events:,} events,"
            f" head {verified.head}."
            if verified.ok
            else f"The log of {tenant} was changed at event {verified.first_bad}: {verified.reason}"
        )
        return Result(document=verified, people=(said,), code=0 if verified.ok else FAILED)

    return with_servers(work)
