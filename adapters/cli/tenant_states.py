"""`asiento tenant rename | suspend | resume | profile`: what a company is called, and may do."""

from typing import Annotated

from cyclopts import Parameter

from adapters.cli.derived import outcome_shown
from adapters.cli.output import Result, Table
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.runtime import Runtime
from application.kernel import Outcome, build
from domain.ids import SYSTEM_TENANT
from domain.kernel import Command
from domain.profiles import Profile
from domain.tenants import RenameTenant, ResumeTenant, SuspendTenant


def rename(slug: str, /, *, name: str) -> Result:
    """Call a company something else. Its short name is for ever.

    Args:
        slug: Its short name.
        name: Its full name from now on.

    """
    return _done(RenameTenant, slug, name=name)


def suspend(
    slug: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="It is told to whoever is refused.")],
) -> Result:
    """Let a company change nothing until it is resumed. Everything can be read as before."""
    return _done(SuspendTenant, slug, reason=reason)


def resume(slug: str, /) -> Result:
    """Let a suspended company go on."""
    return _done(ResumeTenant, slug)


def profile(slug: str, /) -> Result:
    """Show who a company is for the law. `asiento change-profile` changes it."""

    async def work(runtime: Runtime) -> Profile:
        return await runtime.bus.fold(await find_tenant(runtime, slug), Profile.own())

    found = with_runtime(work)
    named = {name: getattr(found, name) for name in found.__struct_fields__}
    rows = [(name.replace("_", " "), value or "") for name, value in named.items()]
    return Result(document=found, people=(Table(("WHAT", "IS"), rows),))


def _done(command: type[Command], slug: str, **given: object) -> Result:
    async def work(runtime: Runtime) -> Outcome:
        about = {**given, "tenant": await find_tenant(runtime, slug)}
        asked = build(command, about, runtime.clock)
        return await runtime.bus.execute(asked, operator(SYSTEM_TENANT))

    return outcome_shown(with_runtime(work))
