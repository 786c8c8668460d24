"""What a company decided about modules: one row for each that it ever switched or set."""

from msgspec.structs import replace

from domain.modules import (
    ModuleConfigured,
    ModuleDisabled,
    ModuleEnabled,
    ModuleEvent,
    ModuleName,
    Settings,
    merged,
)
from projections.kernel import Indexed, ReadModel, Row


class ModuleRow(Row):
    """One module. Where `enabled` is null it is as it is from the start."""

    module: ModuleName
    enabled: Indexed[bool | None] = None
    version: int | None = None
    settings: Settings = {}


class ModulesOfTenant(ReadModel[ModuleRow]):
    name = "modules"
    row = ModuleRow
    key = "module"
    permission = "modules.module.read"
    personal = False

    @staticmethod
    def apply(row: ModuleRow | None, event: ModuleEvent) -> ModuleRow | None:
        row = row or ModuleRow(module=event.module)
        match event:
            case ModuleEnabled(version=version):
                return replace(row, enabled=True, version=version)
            case ModuleDisabled():
                return replace(row, enabled=False)
            case ModuleConfigured(version=version, settings=settings):
                kept = merged(row.settings, settings)
                return replace(row, version=version, settings=kept)
