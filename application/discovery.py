"""Modules are found by file name, so that adding one edits no other."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


@cache
def modules_of(package: str) -> tuple[ModuleType, ...]:
    """Import and return every module directly inside *package*, by name."""
    path = import_module(package).__path__
    names = sorted(module.name for module in iter_modules(path))
    return tuple(import_module(f"{package}.{name}") for name in names)
