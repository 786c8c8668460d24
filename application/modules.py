"""The module catalogue: what each module of the product is, and what it needs and may be told.

A module of ``application`` says of itself what it is, as ``MODULE``. One that says nothing belongs
to the system itself: it is always on. Commands belong to the module that their permission names.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from application.discovery import modules_of
from application.errors import NotFound
from application.kernel import Exposed, Looking, convert, exposed_commands
from domain.fields import EntityName, FieldType
from domain.kernel import Command
from domain.modules import (
    ConfigureModule,
    DisableModule,
    EnableModule,
    ModuleName,
    Modules,
    Settings,
    Starts,
)

MANAGE: Final = "modules.module.manage"
READ: Final = "modules.module.read"


class NoSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


Check: TypeAlias = Callable[[Any, Command], None]  # Any: the settings, of the module's own type.


class Entity(Struct, frozen=True, kw_only=True, eq=False):
    """A kind of document whose fields a company decides on.

    Attributes:
        made_by: The commands that make one here. They have a field ``custom``.
        taken_by: Those that take one over as it is: of them only ``custom`` is checked.
        fields: Fields that may be left out, by their path, and the type that a default has; None:
            it has several parts.

    """

    name: EntityName
    made_by: tuple[type[Command], ...]
    taken_by: tuple[type[Command], ...] = ()
    fields: Mapping[str, FieldType | None]


class Module(Struct, frozen=True, kw_only=True, eq=False):
    """What a module is.

    Attributes:
        version: Raised when its commands or its settings change their meaning.
        needs: The modules that it works with. They are on while it is.
        settings: What it may be told: a struct that has a default for every field.
        check: Refuses what the settings of a company don't allow.
        from_start: It is on until a company switches it off.
        entities: Its documents whose fields a company decides on.

    """

    name: ModuleName
    title: str
    version: int = 1
    needs: tuple[ModuleName, ...] = ()
    settings: type[Struct] = NoSettings
    check: Check | None = None
    from_start: bool = True
    entities: tuple[Entity, ...] = ()


class ListedModule(Struct, frozen=True, kw_only=True):
    """A module, and what a company made of it. The schema is a JSON Schema of its settings."""

    module: ModuleName
    title: str
    version: int
    enabled: bool
    needs: tuple[ModuleName, ...]
    needed_by: tuple[ModuleName, ...]
    settings: Settings
    settings_schema: dict[str, object]


@cache
def catalogue() -> dict[ModuleName, Module]:
    """Find the modules that ``application`` declares, by name."""
    found = [getattr(each, "MODULE", None) for each in modules_of("application")]
    return {each.name: each for each in found if isinstance(each, Module)}


@cache
def module_of(command: type[Command]) -> Module | None:
    """Name the module that a command belongs to; None: the system itself."""
    permission = exposed_commands()[command].permission
    return catalogue().get(ModuleName(permission.partition(".")[0]))


def is_on(module: Module, modules: Modules) -> bool:
    """Tell whether a company has a module switched on."""
    return modules.is_on(module.name, from_start=module.from_start)


def listed(modules: Modules) -> list[ListedModule]:
    """List every module there is, with what a company decided."""
    return [
        ListedModule(
            module=each.name,
            title=each.title,
            version=each.version,
            enabled=is_on(each, modules),
            needs=each.needs,
            needed_by=tuple(_needed_by(each)),
            settings=effective(each, modules),
            settings_schema=schema_of(each),
        )
        for each in catalogue().values()
    ]


def effective(module: Module, modules: Modules) -> Settings:
    """Return all settings of a module: those of the company, and the rest as from the start."""
    return as_settings(settings_of(module, modules))


def as_settings(settings: Struct) -> Settings:
    """Write settings as JSON has them, which is how they are kept."""
    return msgspec.json.decode(msgspec.json.encode(settings), type=dict[str, object])


def settings_of(module: Module, modules: Modules) -> Struct:
    """Read the settings of a module as its own struct, but for those that it has no more."""
    kept = modules.settings.get(module.name, {})
    known = {name: kept[name] for name in module.settings.__struct_fields__ if name in kept}
    return msgspec.convert(known, module.settings)


@cache
def schema_of(module: Module) -> dict[str, object]:
    """Describe the settings of a module (JSON Schema, 2020-12)."""
    (schema,), parts = msgspec.json.schema_components([module.settings])
    named: str = schema["$ref"].rpartition("/")[2]
    return {**parts.pop(named), **({"$defs": parts} if parts else {})}


def _declared(name: ModuleName) -> Module:
    module = catalogue().get(name)
    if module is None:
        raise NotFound(
            "modules.absent",
            f"There is no module {name} that could be switched or set.",
            hint=f"There are: {', '.join(catalogue())}.",
        )
    return module


def _needed_by(module: Module) -> Starts:
    others = catalogue().values()
    return {each.name: each.from_start for each in others if module.name in each.needs}


async def _find_needs(_looking: Looking, command: EnableModule) -> EnableModule:
    module = _declared(command.module)
    needs = {name: catalogue()[name].from_start for name in module.needs}
    return replace(command, version=module.version, from_start=module.from_start, needs=needs)


async def _find_users(_looking: Looking, command: DisableModule) -> DisableModule:
    module = _declared(command.module)
    return replace(command, from_start=module.from_start, needed_by=_needed_by(module))


async def _check_settings(_looking: Looking, command: ConfigureModule) -> ConfigureModule:
    """Read the settings as the module has them, and write them in the one form they are kept in.

    Each stands for itself, so that some of them are checked without the rest.
    """
    module = _declared(command.module)
    given: Mapping[str, object] = {k: v for k, v in command.settings.items() if v is not None}
    put_back = {name: None for name in command.settings if name not in given}
    odd = {name: None for name in put_back if name not in module.settings.__struct_fields__}
    checked = as_settings(convert({**given, **odd}, module.settings))
    kept = {name: checked[name] for name in given}
    return replace(command, settings={**kept, **put_back}, version=module.version)


COMMANDS = (
    Exposed(
        command=EnableModule,
        permission=MANAGE,
        route="POST /modules/{module}/enable",
        find=_find_needs,
    ),
    Exposed(
        command=DisableModule,
        permission=MANAGE,
        route="POST /modules/{module}/disable",
        find=_find_users,
    ),
    Exposed(
        command=ConfigureModule,
        permission=MANAGE,
        route="POST /modules/{module}/configure",
        find=_check_settings,
    ),
)
