"""The files of the checkout, as the house rules read them."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import TypeAlias, TypeVar

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "application", "projections", "adapters")
N = TypeVar("N", bound=ast.AST)
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A text file: its path from the root of the checkout, with slashes, and what it says."""

    path: str
    text: str

    @property
    def layer(self) -> str:
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def nodes(self, kind: type[N]) -> Iterator[N]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kind))

    def functions(self) -> Iterator[Function]:
        yield from self.nodes(ast.FunctionDef)
        yield from self.nodes(ast.AsyncFunctionDef)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the dotted name of whatever is imported."""
        for statement in self.nodes(ast.Import):
            yield from ((statement.lineno, alias.name) for alias in statement.names)
        for origin in self.nodes(ast.ImportFrom):
            yield from ((origin.lineno, f"{origin.module}.{alias.name}") for alias in origin.names)

    def comments(self) -> Iterator[tuple[int, str]]:
        """Yield each comment of a Python file with its line."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def find(self, pattern: str) -> Iterator[tuple[int, str]]:
        """Yield what matches, with its line."""
        for number, line in enumerate(self.lines, start=1):
            for match in re.finditer(pattern, line):
                yield number, match.group()

    def at(self, where: ast.AST | int, message: str) -> str:
        line = where if isinstance(where, int) else getattr(where, "lineno", 1)
        return f"{self.path}:{line}: {message}"


Rule: TypeAlias = Callable[[Source], Iterable[str]]


@cache
def sources() -> tuple[Source, ...]:
    """Read every text file that git knows or would add."""
    # Another user's checkout is as good as ours to read from.
    command = "git -c safe.directory=* ls-files -z --cached --others --exclude-standard"
    listed = subprocess.run(command.split(), cwd=ROOT, check=True, capture_output=True)
    paths = sorted({ROOT / name for name in listed.stdout.decode().split("\0") if name})
    return tuple(filter(None, (_read(path) for path in paths if path.is_file())))


def _read(path: Path) -> Source | None:
    content = path.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else Source(path.relative_to(ROOT).as_posix(), text)


def python() -> tuple[Source, ...]:
    return tuple(source for source in sources() if source.is_python)


def source(path: str) -> Source:
    return next(each for each in sources() if each.path == path)


def offences(rule: Rule, of: Iterable[Source]) -> str:
    """Say what breaks *rule*, a line each; nothing is the empty string."""
    return "\n".join(line for each in of for line in rule(each))


def dotted(node: ast.AST) -> str:
    """Write ``datetime.datetime.now`` for its tree; empty for what is no plain name."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
    return ""
