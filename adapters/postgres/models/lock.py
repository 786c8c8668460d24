"""The lock of read models: their versions, with what these stand for, written down once.

A table is made anew only where the version is raised. So whoever changes a row, or what folds
it, must say which of the two it is: another version, or rows that stay equal. Where it is the
latter, ``python -m adapters.postgres.models.lock projections/versions.json`` writes it down.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from adapters.postgres.models.tables import shape_of
from adapters.postgres.models.versions import Model
from application import codec
from application.fingerprint import fingerprint
from projections.kernel import events_of, read_models

NOT_FOLDING: Final = ("version", "permission", "public", "related")
"""What a model says of itself that changes none of its rows."""

FILE: Final = Path("projections", "versions.json")
COMMAND: Final = f"python -m {__spec__.name} {FILE}"


class Locked(Struct, frozen=True, kw_only=True):
    """A version of a model: the shape of its table, and a fingerprint of what folds its rows."""

    version: int
    shape: str
    code: str


Lock: TypeAlias = Mapping[str, Locked]


def declared() -> dict[str, Locked]:
    """Describe the read models of this code."""
    return {
        name: Locked(version=model.version, shape=shape_of(model), code=_code_of(model))
        for name, model in read_models().items()
    }


def read_lock(path: Path) -> dict[str, Locked]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Locked])


def broken(lock: Lock, now: Lock) -> Iterator[str]:
    """Say where the same version, or an older one, has a table of another shape."""
    for name in lock.keys() & now.keys():
        was, is_ = lock[name], now[name]
        if is_.version < was.version:
            yield (
                f"{name}: version {was.version} was locked, and this is {is_.version}."
                f" A version never goes down: raise it to {was.version + 1}."
            )
        elif is_.version == was.version and is_.shape != was.shape:
            yield (
                f"{name}: its table changed, and its version did not."
                f" Raise `version` to {was.version + 1}, so that it is built anew."
                f"\n  was {was.shape}\n  is  {is_.shape}"
            )


def differences(lock: Lock, now: Lock) -> Iterator[str]:
    """Say where *lock* does not hold what is declared *now*, and what to do."""
    yield from broken(lock, now)
    for name in sorted(lock.keys() | now.keys()):
        was, is_ = lock.get(name), now.get(name)
        if was is None or is_ is None or is_.version > was.version:
            yield f"{name}: its version is not locked yet. Run `{COMMAND}`."
        elif is_.version == was.version and is_.shape == was.shape and is_.code != was.code:
            yield (
                f"{name}: what folds its rows changed, and its version did not. Raise `version`"
                f" to {was.version + 1} if a row may differ. If none can, run `{COMMAND}`."
            )


def _code_of(model: Model) -> str:
    """Hash what decides on the rows: the model, its row, and its events as they may be stored."""
    stored = (codec.event_types()[name] for name in codec.stored_names(events_of(model)))
    kinds = (model, model.row, *stored)
    return fingerprint(((kind.__module__, kind.__qualname__) for kind in kinds), unless=NOT_FOLDING)


def main(path: Path) -> int:
    """Write the lock, unless a table changed under its version."""
    now = declared()
    if complaints := list(broken(read_lock(path) if path.exists() else {}, now)):
        sys.stderr.write("\n".join([*complaints, ""]))
        return 1
    path.write_bytes(msgspec.json.format(msgspec.json.encode(now), indent=2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
