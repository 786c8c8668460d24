"""`asiento module`: which modules a company has, and switching and setting them."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from adapters.cli.derived import run_for
from adapters.cli.options import TenantOption, read_object
from adapters.cli.output import Result, Table
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.modules import read_catalogue
from adapters.runtime import Runtime
from application.modules import ListedModule
from domain.modules import ConfigureModule, DisableModule, EnableModule

SET: TypeAlias = Annotated[
    str,
    Parameter(
        name="--settings",
        help="The settings to change, as a JSON object, @FILE, or - for stdin. Null puts one back.",
    ),
]


def list_all(*, tenant: TenantOption) -> Result:
    """List every module there is, and what the company made of it."""

    async def work(runtime: Runtime) -> list[ListedModule]:
        owner = await find_tenant(runtime, tenant)
        return await read_catalogue(runtime, operator(owner))

    found = with_runtime(work)
    columns = ("MODULE", "VERSION", "ON", "NEEDS", "SETTINGS", "TITLE")
    rows = [
        (
            each.module,
            each.version,
            "yes" if each.enabled else "no",
            ", ".join(each.needs),
            ", ".join(f"{name}={value}" for name, value in each.settings.items()),
            each.title,
        )
        for each in found
    ]
    return Result(document=found, people=(Table(columns, rows),))


def enable(module: str, /, *, tenant: TenantOption) -> Result:
    """Switch a module on."""
    return run_for(tenant, EnableModule, module=module)


def disable(module: str, /, *, tenant: TenantOption) -> Result:
    """Switch a module off: its commands are refused, its data are read as before."""
    return run_for(tenant, DisableModule, module=module)


def configure(module: str, /, *, settings: SET, tenant: TenantOption) -> Result:
    """Change settings of a module. `asiento module list` shows what there is to set."""
    return run_for(tenant, ConfigureModule, module=module, settings=read_object(settings))
