"""Modules: parts of the product that a company has switched on or off, and set to its needs.

Which modules there are, and what each needs, is written in code; a log holds what a company
decided. What it never decided on is as the module is from the start.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.kernel import Boundary, Command, Event, Found, Key, Refused, State

ModuleName = NewType("ModuleName", str)
Settings: TypeAlias = dict[str, object]
"""Values by the name of a setting, as JSON has them. None: as it is from the start."""

Starts: TypeAlias = dict[ModuleName, bool]
"""Modules, and whether each is on from the start."""

MODULES: Final = "modules:own"
"""The tag of all that a company decided about modules, so that one look brings it."""

NameText = Annotated[
    ModuleName, Meta(pattern=r"^[a-z][a-z_]{0,39}$(?!\n)", description="Such as `invoicing`.")
]


class ModuleEnabled(Event):
    common_tags = frozenset({MODULES})

    module: Key[ModuleName]
    version: int  # Of the module, as the code had it then.


class ModuleDisabled(Event):
    """Nothing of the module is changed any more; its data are read as before."""

    common_tags = frozenset({MODULES})

    module: Key[ModuleName]


class ModuleConfigured(Event):
    """These settings changed; all others stay."""

    common_tags = frozenset({MODULES})

    module: Key[ModuleName]
    version: int
    settings: Settings


ModuleEvent: TypeAlias = ModuleEnabled | ModuleDisabled | ModuleConfigured


class Modules(State):
    """All that a company decided about modules."""

    enabled: dict[ModuleName, bool] = {}
    settings: dict[ModuleName, Settings] = {}

    def evolve(self, event: ModuleEvent) -> "Modules":
        match event:
            case ModuleEnabled():
                return replace(self, enabled={**self.enabled, event.module: True})
            case ModuleDisabled():
                return replace(self, enabled={**self.enabled, event.module: False})
            case ModuleConfigured():
                mine = merged(self.settings.get(event.module, {}), event.settings)
                return replace(self, settings={**self.settings, event.module: mine})

    def is_on(self, module: ModuleName, *, from_start: bool) -> bool:
        return self.enabled.get(module, from_start)

    @classmethod
    def own(cls) -> Boundary["Modules"]:
        return Boundary(state=cls, tag=MODULES)


class EnableModule(Command):
    """Switch a module on. Switched on again, nothing happens."""

    module: NameText
    version: Found[int] = 0
    from_start: Found[bool] = True
    needs: Found[Starts] = {}

    def boundary(self) -> tuple[Boundary[Modules]]:
        return (Modules.own(),)

    def decide(self, modules: Modules) -> Iterator[ModuleEvent]:
        missing = [
            name for name, on in self.needs.items() if not modules.is_on(name, from_start=on)
        ]
        if missing:
            raise Refused(
                "modules.needs_others",
                f"{self.module} works with {', '.join(missing)}, which is off.",
                hint=f"Enable {missing[0]} first.",
            )
        if not modules.is_on(self.module, from_start=self.from_start):
            yield ModuleEnabled(module=self.module, version=self.version)


class DisableModule(Command):
    """Switch a module off: its commands are refused, its data are read as before."""

    module: NameText
    from_start: Found[bool] = True
    needed_by: Found[Starts] = {}

    def boundary(self) -> tuple[Boundary[Modules]]:
        return (Modules.own(),)

    def decide(self, modules: Modules) -> Iterator[ModuleEvent]:
        using = [name for name, on in self.needed_by.items() if modules.is_on(name, from_start=on)]
        if using:
            raise Refused(
                "modules.needed",
                f"{', '.join(using)} works with {self.module}, and is on.",
                hint=f"Disable {using[0]} first.",
            )
        if modules.is_on(self.module, from_start=self.from_start):
            yield ModuleDisabled(module=self.module)


class ConfigureModule(Command):
    """Change settings of a module. Null puts one back to what it is from the start."""

    module: NameText
    settings: Settings
    version: Found[int] = 0

    def boundary(self) -> tuple[Boundary[Modules]]:
        return (Modules.own(),)

    def decide(self, modules: Modules) -> Iterator[ModuleEvent]:
        mine = modules.settings.get(self.module, {})
        news = {name: new for name, new in self.settings.items() if new != mine.get(name)}
        if news:
            yield ModuleConfigured(module=self.module, version=self.version, settings=news)


def merged(settings: Mapping[str, object], news: Mapping[str, object]) -> Settings:
    """Put *news* into *settings*; what is None there goes."""
    return {name: value for name, value in {**settings, **news}.items() if value is not None}
