"""What a company has of the product, as every surface shows it: modules, fields, templates.

All of it is read off the log itself, so that whoever changed it sees the change.
"""

from adapters.postgres.models.conditions import require
from adapters.runtime import Runtime
from application.fields import ListedEntity, listed_fields
from application.kernel import Context
from application.modules import READ, ListedModule, listed
from application.sectors import (
    ListedTemplate,
    TemplateDiff,
    apply,
    diff,
    find_template,
    list_templates,
)
from domain.fields import Fields
from domain.modules import Modules


async def read_catalogue(runtime: Runtime, context: Context) -> list[ListedModule]:
    """List every module, as the caller's company has it now.

    Raises:
        Forbidden: The caller may not read it.

    """
    require(context, READ)
    return listed(await runtime.bus.fold(context.tenant, Modules.own()))


async def read_fields(runtime: Runtime, context: Context) -> list[ListedEntity]:
    """List the kinds of document, with their fields as the caller's company has them now.

    Raises:
        Forbidden: The caller may not read it.

    """
    require(context, READ)
    return listed_fields(await runtime.bus.fold(context.tenant, Fields.own()))


async def read_templates(runtime: Runtime, context: Context) -> list[ListedTemplate]:
    """List the sector templates, and which of them the caller's company took over.

    Raises:
        Forbidden: The caller may not read it.

    """
    require(context, READ)
    return await list_templates(runtime.bus, context)


async def take_over(
    runtime: Runtime, context: Context, template: str, *, dry_run: bool
) -> TemplateDiff:
    """Apply a template, or say what that would change.

    Raises:
        Forbidden: The caller may not do it, or not read what there is.
        NotFound: There is no such template.
        Refused: One of its commands can't be run; nothing is.

    """
    require(context, READ)
    act = diff if dry_run else apply
    return await act(runtime.bus, context, find_template(template))
