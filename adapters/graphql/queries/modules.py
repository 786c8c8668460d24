"""What a company has of the product: the catalogues of modules and fields, and sector templates."""

from typing import Final

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.scalars import Json, Long, Position
from adapters.graphql.shapes import field_of, list_of, summary
from adapters.modules import read_catalogue, read_fields, read_templates, take_over
from application.fields import ListedEntity, ListedField
from application.modules import ListedModule
from application.sectors import Change, ListedStep, ListedTemplate, TemplateDiff

CATALOGUE: Final = (
    "Every module that can be switched or set, as the company has it now. What it never decided"
    " on is as the module is from the start."
)
FIELDS: Final = "The documents whose fields the company decides on, as it has them now."
TEMPLATES: Final = "The sector templates there are, and which version the company took over."
APPLY: Final = (
    "Run what is new in a sector template, in one append. What the company decided on stays."
    " With `dryRun`, nothing is changed: the answer says what would be."
)


@strawberry.type(name="CatalogueModule", description=summary(ListedModule))
class CatalogueModuleType:
    module: str
    title: str
    version: Long
    enabled: bool
    needs: list[str] = strawberry.field(description="The modules that it works with.")
    needed_by: list[str]
    settings: Json = strawberry.field(description="All of them, those from the start included.")
    settings_schema: Json


@strawberry.type(name="CatalogueField", description=summary(ListedField))
class CatalogueFieldType:
    field: str
    type: str | None
    label: str
    choices: list[str]
    hidden: bool
    required: bool
    default: Json | None


@strawberry.type(name="CatalogueEntity", description=summary(ListedEntity))
class CatalogueEntityType:
    entity: str
    fields: list[CatalogueFieldType]
    custom_schema: Json


@strawberry.type(name="SectorTemplateStep", description=summary(ListedStep))
class StepType:
    command: str
    given: Json
    since: Long


@strawberry.type(name="SectorTemplate", description=summary(ListedTemplate))
class TemplateType:
    template: str
    title: str
    version: Long
    applied_version: Long
    steps: list[StepType]


@strawberry.type(name="SectorTemplateChange", description=summary(Change))
class ChangeType:
    subject: str
    before: Json | None
    after: Json | None
    action: str = strawberry.field(description="One of: apply, same, keep.")
    since: Long


@strawberry.type(name="SectorTemplateDiff", description=summary(TemplateDiff))
class DiffType:
    template: str
    version: Long
    applied_version: Long = strawberry.field(description="Before this; 0: none.")
    changes: list[ChangeType]
    dry_run: bool
    position: Position | None


def module_fields() -> dict[str, StrawberryField]:
    """Make the fields of Query, by name."""
    for resolver, shape in (
        (module_catalogue, CatalogueModuleType),
        (field_catalogue, CatalogueEntityType),
        (sector_templates, TemplateType),
    ):
        resolver.__annotations__["return"] = list_of(shape)
    return {
        "module_catalogue": field_of(module_catalogue, CATALOGUE),
        "field_catalogue": field_of(field_catalogue, FIELDS),
        "sector_templates": field_of(sector_templates, TEMPLATES),
    }


def template_fields() -> dict[str, StrawberryField]:
    """Make the field of Mutation that applies a template."""
    apply_sector_template.__annotations__["return"] = DiffType
    return {"apply_sector_template": field_of(apply_sector_template, APPLY)}


async def module_catalogue(info: Info) -> list[ListedModule]:
    asking = info.context
    return await read_catalogue(asking.runtime, asking.context)


async def field_catalogue(info: Info) -> list[ListedEntity]:
    asking = info.context
    return await read_fields(asking.runtime, asking.context)


async def sector_templates(info: Info) -> list[ListedTemplate]:
    asking = info.context
    return await read_templates(asking.runtime, asking.context)


async def apply_sector_template(info: Info, template: str, dry_run: bool = False) -> TemplateDiff:  # noqa: FBT001, FBT002 - as it is asked for.
    asking = info.context
    asking.raise_known(info)
    return await take_over(asking.runtime, asking.context, template, dry_run=dry_run)
