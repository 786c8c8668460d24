"""A fingerprint of code: a hash of some definitions and of all that they stand on.

Comments, docstrings and layout count for nothing, nor does what is not used. Names are followed
through our rules; the kernels are the language these are written in, and are left out.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from hashlib import sha256
from importlib.abc import InspectLoader
from importlib.util import find_spec
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

FOLLOWED: Final = ("domain", "projections")
KERNELS: Final = ("domain.kernel", "projections.kernel")
SIGNS: Final = 16
"""Of the hash: it tells that code changed, and guards against nobody."""


class Place(NamedTuple):
    """A definition at the top of a module; without a name, all of them."""

    module: str
    name: str


Bound: TypeAlias = ast.stmt | Place
"""What a name at the top of a module stands for: a statement, or a definition elsewhere."""


@cache
def source_of(module: str) -> str | None:
    """Read the source of a module; None where there is no such module, or no source."""
    spec = find_spec(module)
    loader = spec.loader if spec else None
    return loader.get_source(module) if isinstance(loader, InspectLoader) else None


def fingerprint(
    places: Iterable[tuple[str, str]],
    read: Callable[[str], str | None] = source_of,
    *,
    unless: Collection[str] = (),
) -> str:
    """Hash the definitions at *places* (module and name), and whatever they name, however far.

    What a class body assigns to a name of *unless* does not count.
    """
    waiting = [Place(*place) for place in places]
    modules: dict[str, dict[str, list[Bound]]] = {}
    found: dict[Place, str] = {}
    while waiting:
        place = waiting.pop()
        if place in found or not _is_followed(place.module):
            continue
        if place.module not in modules:
            modules[place.module] = _bound(read(place.module) or "")
        names = modules[place.module]
        found[place] = ""
        if place.name and place.name not in names:
            waiting.append(Place(f"{place.module}.{place.name}", ""))
            continue
        for bound in names[place.name] if place.name else chain(*names.values()):
            if isinstance(bound, Place):
                waiting.append(bound)
            else:
                found[place] += _written(bound, unless)
                waiting += (Place(place.module, n) for n in _words(bound) if n in names)
    lines = (f"{place.module}.{place.name}:{text}" for place, text in sorted(found.items()) if text)
    return sha256("\n".join(lines).encode()).hexdigest()[:SIGNS]


def _is_followed(module: str) -> bool:
    return module.partition(".")[0] in FOLLOWED and module not in KERNELS


def _bound(source: str) -> dict[str, list[Bound]]:
    """Find what the names at the top of a module stand for."""
    names: dict[str, list[Bound]] = {}
    for statement in ast.parse(source).body:
        for name, bound in _names_of(statement):
            names.setdefault(name, []).append(bound)
    return names


def _names_of(statement: ast.stmt) -> Iterator[tuple[str, Bound]]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            yield name, statement
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name, statement
        case ast.Assign(targets=targets):
            for target in chain.from_iterable(map(ast.walk, targets)):
                if isinstance(target, ast.Name):
                    yield target.id, statement
        case ast.ImportFrom(module=str(module), names=aliases):
            for alias in aliases:
                yield alias.asname or alias.name, Place(module, alias.name)
        case ast.Import(names=aliases):
            for alias in aliases:
                yield alias.asname or alias.name.partition(".")[0], Place(alias.name, "")


def _words(node: ast.AST) -> set[str]:
    """Collect what may be names, those in quoted annotations included."""
    return {
        word
        for each in ast.walk(node)
        for word in (getattr(each, "id", None), getattr(each, "value", None))
        if isinstance(word, str)
    }


def _written(node: object, unless: Collection[str]) -> str:
    """Write a tree down, the same on every version of Python."""
    if isinstance(node, ast.AST):
        fields = (
            f"{name}={_written(value, unless)}"
            for name, value in ast.iter_fields(node)
            if value is not None and value != [] and name not in {"ctx", "kind", "type_comment"}
        )
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_written(each, unless) for each in node if _counts(each, unless))}]"
    return repr(node)


def _counts(node: object, unless: Collection[str]) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return False  # A docstring.
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name not in unless
    return True
