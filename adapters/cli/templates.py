"""`asiento tenant template show | diff | apply`: what companies of a sector usually want."""

from typing import Annotated, Final, Literal, TypeAlias

from cyclopts import Parameter

from adapters.cli.output import Result, Shown, Table, counted
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.modules import read_templates, take_over
from adapters.runtime import Runtime
from application.errors import Malformed
from application.kernel import Context
from application.sectors import ListedTemplate, TemplateDiff, find_template
from domain.ids import SYSTEM_TENANT

Action: TypeAlias = Literal["list", "show", "diff", "apply"]
TenantIfAny: TypeAlias = Annotated[
    str | None, Parameter(name="--tenant", help="The short name of the tenant; not for `show`.")
]
SAID: Final = {"apply": "changes", "same": "is so", "keep": "stays"}


def template(
    action: Annotated[Action, Parameter(help="What to do.")],
    name: Annotated[str | None, Parameter(help="The template, as `list` shows it.")] = None,
    /,
    *,
    tenant: TenantIfAny = None,
) -> Result:
    """List the sector templates, show one, say what it would change, or apply it."""
    if action in {"diff", "apply"}:
        return _applied(_named(name), _told(tenant), dry_run=action == "diff")

    async def work(runtime: Runtime) -> list[ListedTemplate]:
        return await read_templates(runtime, await _context(runtime, tenant))

    found = with_runtime(work)
    if action == "list":
        columns = ("TEMPLATE", "VERSION", "APPLIED", "TITLE")
        rows = [(e.template, e.version, e.applied_version, e.title) for e in found]
        return Result(document=found, people=(Table(columns, rows),))
    wanted = find_template(_named(name)).name
    shown = next(each for each in found if each.template == wanted)
    steps = [(e.since, e.command, _in_words(e.given)) for e in shown.steps]
    people: tuple[Shown, ...] = (shown.title, Table(("SINCE", "COMMAND", "GIVEN"), steps))
    return Result(document=shown, people=people)


def _applied(name: str, slug: str, *, dry_run: bool) -> Result:
    async def work(runtime: Runtime) -> TemplateDiff:
        return await take_over(runtime, await _context(runtime, slug), name, dry_run=dry_run)

    found = with_runtime(work)
    columns = ("WHAT", "IS", "TEMPLATE", "")
    rows = [
        (each.subject, _value(each.before), _value(each.after), SAID[each.action])
        for each in found.changes
    ]
    many = sum(each.action == "apply" for each in found.changes)
    did = "would change" if dry_run else "changed"
    said = f"{counted(many, 'thing')} {did}: version {found.version} of {name}."
    if found.applied_version >= found.version:
        said = f"Version {found.applied_version} of {name} was applied before: nothing to do."
    return Result(document=found, people=(Table(columns, rows), said))


async def _context(runtime: Runtime, slug: str | None) -> Context:
    """Act for a tenant; where only what there is is shown, for the instance."""
    return operator(SYSTEM_TENANT if slug is None else await find_tenant(runtime, slug))


def _named(name: str | None) -> str:
    if name is None:
        raise Malformed(
            "sectors.not_named",
            "No template is named.",
            hint="Name one: `asiento tenant template list` shows all.",
        )
    return name


def _told(slug: str | None) -> str:
    if slug is None:
        raise Malformed(
            "sectors.no_tenant",
            "A template is compared with what a tenant has.",
            hint="Say whose: --tenant SLUG.",
        )
    return slug


def _in_words(given: dict[str, object]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in given.items())


def _value(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_value, value))
        case dict():
            told = {name: each for name, each in value.items() if each not in (None, "", False)}
            return " ".join(f"{name}={_value(each)}" for name, each in told.items())
    return str(value)
