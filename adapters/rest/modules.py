"""What a company has of the product over REST: its modules, its fields, and sector templates."""

from typing import Final

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from adapters.modules import read_catalogue, read_fields, read_templates, take_over
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.problems import documented
from application.fields import ListedEntity
from application.kernel import Context
from application.modules import ListedModule
from application.sectors import ListedTemplate, TemplateDiff

ERRORS: Final = documented(400, 401, 403, 503)


class ApplySectorTemplateInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `dry_run`, nothing is changed: the answer says what would be."""

    dry_run: bool = False


@get(
    "/module-catalogue",
    operation_id="GetModuleCatalogue",
    summary="List every module there is",
    description="As the company has it now, with the schema of its settings.",
    tags=["modules"],
    responses=ERRORS,
)
async def get_catalogue(request: Request[Context, str, State]) -> list[ListedModule]:
    return await read_catalogue(request.app.state.runtime, request.user)


@get(
    "/field-catalogue",
    operation_id="GetFieldCatalogue",
    summary="List the fields of documents",
    description="As the company has them now, with the schema of those that it added.",
    tags=["modules"],
    responses=ERRORS,
)
async def get_fields(request: Request[Context, str, State]) -> list[ListedEntity]:
    return await read_fields(request.app.state.runtime, request.user)


@get(
    "/sector-templates",
    operation_id="ListSectorTemplates",
    summary="List the sector templates",
    description="Their commands, and which version of each the company took over.",
    tags=["modules"],
    responses=ERRORS,
)
async def get_templates(request: Request[Context, str, State]) -> list[ListedTemplate]:
    return await read_templates(request.app.state.runtime, request.user)


@post(
    "/sector-templates/{template:str}/apply",
    operation_id="ApplySectorTemplate",
    summary="Apply a sector template",
    description="What is new in it is run, in one append; what the company decided on stays.",
    tags=["modules"],
    status_code=200,
    before_request=JSON_ONLY,
    responses=documented(400, 401, 403, 404, 409, 412, 429, 503),
)
async def apply_template(
    request: Request[Context, str, State],
    template: FromPath[str],
    data: JSONBody[ApplySectorTemplateInput | None] = None,
) -> TemplateDiff:
    dry_run = data is not None and data.dry_run
    return await take_over(request.app.state.runtime, request.user, template, dry_run=dry_run)


HANDLERS = (get_catalogue, get_fields, get_templates, apply_template)
