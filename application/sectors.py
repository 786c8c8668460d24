"""Sector templates: what a shop, a bakery, a workshop usually wants, as ordinary commands.

Applied, a template runs what is new in it and what the company has not decided on by itself; all
of it in one append. Applied again it does nothing. What a company changed since stays as it is.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from application.bus import Bus
from application.errors import NotFound
from application.kernel import Context, Exposed, Outcome, authorise
from application.modules import MANAGE, catalogue, effective, is_on
from application.sector_templates import TEMPLATES, SectorTemplate, Step
from domain.fields import CUSTOM, AddCustomField, Added, ConfigureField, Fields, Rule
from domain.kernel import Command, found_fields
from domain.modules import ConfigureModule, DisableModule, EnableModule, Modules
from domain.sectors import AppliedTemplate, NoteSectorTemplate, TemplateName

Action: TypeAlias = Literal["apply", "same", "keep"]
CAUSE: Final = "template:"
"""How the cause of an event begins that came of a template, such as ``template:shop@2``."""

COMMANDS = (Exposed(command=NoteSectorTemplate, permission=MANAGE),)


class Change(Struct, frozen=True, kw_only=True):
    """What a command of a template is about, as it is, and as the template has it.

    Attributes:
        action: ``apply``: it changes; ``same``: it is so already; ``keep``: the company decided
            otherwise, and that stays.
        since: The version of the template that brought it.

    """

    subject: str
    before: object
    after: object
    action: Action
    since: int


class TemplateDiff(Struct, frozen=True, kw_only=True):
    """What a template would change, or has changed just now."""

    template: TemplateName
    version: int
    applied_version: int
    changes: tuple[Change, ...]
    dry_run: bool = True
    position: int | None = None


class _Decided(Struct, frozen=True):
    """What a company has, and which version of the template it took over."""

    modules: Modules
    fields: Fields
    version: int


class ListedStep(Struct, frozen=True, kw_only=True):
    """A command of a template, with what it says, and the version that brought it."""

    command: str
    given: dict[str, object]
    since: int


class ListedTemplate(Struct, frozen=True, kw_only=True):
    """A template there is, and which version of it the company took over; 0: none."""

    template: TemplateName
    title: str
    version: int
    applied_version: int
    steps: tuple[ListedStep, ...]


async def list_templates(bus: Bus, context: Context) -> list[ListedTemplate]:
    """List the templates there are, as the company has them."""
    return [
        ListedTemplate(
            template=each.name,
            title=each.title,
            version=each.version,
            applied_version=(await _applied(bus, context, each)).version,
            steps=tuple(map(_listed, each.steps)),
        )
        for each in TEMPLATES
    ]


def find_template(name: str) -> SectorTemplate:
    """Return a template by its name.

    Raises:
        NotFound: There is none.

    """
    found = _by_name().get(TemplateName(name))
    if found is None:
        raise NotFound(
            "sectors.absent",
            f"There is no sector template {name}.",
            hint=f"There are: {', '.join(_by_name())}.",
        )
    return found


async def diff(bus: Bus, context: Context, template: SectorTemplate) -> TemplateDiff:
    """Say what a template would change."""
    decided = await _decided(bus, context, template)
    return _told(template, decided, _plan(template, decided))


async def apply(bus: Bus, context: Context, template: SectorTemplate) -> TemplateDiff:
    """Run what is new in a template, in one append, and say what that was.

    Raises:
        Forbidden: The caller may not run one of its commands.
        Refused: One of them can't be run; nothing is.

    """
    note = NoteSectorTemplate(template=template.name, version=template.version)
    authorise(note, context)
    decided = await _decided(bus, context, template)
    plan = list(_plan(template, decided))
    found = replace(_told(template, decided, plan), dry_run=False)
    if decided.version >= template.version:
        return found
    commands = [command for change, command in plan if change.action == "apply"]
    cause = f"{CAUSE}{template.name}@{template.version}"
    answers = await bus.execute_many(
        [*commands, note], replace(context, causation_id=cause), all_or_nothing=True
    )
    made = [each.position for each in answers if isinstance(each, Outcome)]
    return replace(found, position=max(made))


def _told(
    template: SectorTemplate, decided: _Decided, plan: Iterable[tuple[Change, Command]]
) -> TemplateDiff:
    return TemplateDiff(
        template=template.name,
        version=template.version,
        applied_version=decided.version,
        changes=tuple(change for change, _ in plan),
    )


async def _decided(bus: Bus, context: Context, template: SectorTemplate) -> _Decided:
    return _Decided(
        await bus.fold(context.tenant, Modules.own()),
        await bus.fold(context.tenant, Fields.own()),
        (await _applied(bus, context, template)).version,
    )


async def _applied(bus: Bus, context: Context, template: SectorTemplate) -> AppliedTemplate:
    return await bus.fold(context.tenant, AppliedTemplate.at(template=template.name))


def _listed(step: Step) -> ListedStep:
    kind = type(step.command)
    given = {
        name: value
        for name, value in msgspec.structs.asdict(step.command).items()
        if name not in found_fields(kind)
    }
    said = {name: _as_json(value) for name, value in given.items()}
    return ListedStep(command=kind.__name__, given=said, since=step.since)


def _as_json(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value), type=object)


def _plan(template: SectorTemplate, decided: _Decided) -> Iterator[tuple[Change, Command]]:
    """Say of each part of each command what is to become of it."""
    for step in template.steps:
        for part in _parts(step.command):
            subject, now, wanted, by_company = _compare(part, decided)
            before, after = _as_json(now), _as_json(wanted)
            action: Action = "apply"
            if before == after:
                action = "same"
            elif by_company or step.since <= decided.version:
                action = "keep"
            change = Change(
                subject=subject, before=before, after=after, action=action, since=step.since
            )
            yield change, part


def _parts(command: Command) -> Iterable[Command]:
    """Split what sets several things, so that each is applied or kept for itself."""
    if not isinstance(command, ConfigureModule):
        return [command]
    return [replace(command, settings={name: value}) for name, value in command.settings.items()]


def _compare(command: Command, decided: _Decided) -> tuple[str, object, object, bool]:
    """Say what a command is about, what is so now, what it makes of it, and who decided that."""
    modules, fields = decided.modules, decided.fields
    match command:
        case EnableModule(module=name) | DisableModule(module=name):
            on = is_on(catalogue()[name], modules)
            wanted = isinstance(command, EnableModule)
            return f"modules.{name}", on, wanted, name in modules.enabled
        case ConfigureModule(module=name, settings=settings):
            ((setting, value),) = settings.items()
            now = effective(catalogue()[name], modules)[setting]
            mine = setting in modules.settings.get(name, {})
            return f"modules.{name}.{setting}", now, value, mine
        case AddCustomField(entity=entity, field=name):
            there = fields.of(entity).added.get(name)
            new = Added(type=command.type, label=command.label, choices=command.choices)
            return f"fields.{entity}.{CUSTOM}{name}", there, new, there is not None
        case ConfigureField(entity=entity, field=name):
            known = fields.of(entity).rules.get(name)
            rule = Rule(hidden=command.hidden, required=command.required, default=command.default)
            return f"fields.{entity}.{name}", known or Rule(), rule, known is not None
    raise TypeError(f"{type(command).__name__} can't be part of a template.")


@cache
def _by_name() -> dict[TemplateName, SectorTemplate]:
    return {each.name: each for each in TEMPLATES}
