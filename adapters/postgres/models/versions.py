"""Versions of read models: each has a table and cursors of its own, so that they live side by side.

A process reads the table of the version that its code declares. While that one is built for the
first time, a former version of the same shape serves in its place; where the shape changed,
readers are told to wait.
"""

from time import monotonic
from typing import Any, Final, LiteralString, TypeAlias
from weakref import WeakKeyDictionary

from adapters.postgres.connections import Pool, lend
from adapters.postgres.models.tables import shape_of
from application.errors import Unavailable
from projections.kernel import ReadModel

Model: TypeAlias = type[ReadModel[Any]]  # Any: of any row.
LOOK_AGAIN_SECONDS: Final = 0.5
"""How long it is believed that a version is not built yet."""

VERSION: Final = "@"
"""What leads the version in the name of a model's cursors; other readers of a log have none."""

# Its own first, then the youngest that readers could take for it.
SERVING: LiteralString = """
SELECT version FROM read_model
WHERE name = %s AND shape = %s AND built_at IS NOT NULL AND version <= %s
ORDER BY version DESC LIMIT 1
"""
_serving: WeakKeyDictionary[Pool, dict[str, tuple[int, float]]] = WeakKeyDictionary()


def table_name(model: Model, version: int | None = None) -> str:
    """Name the table of *model*, of the version that this code declares or of another."""
    return table_named(model.name, version or model.version)


def table_named(name: str, version: int) -> str:
    """As ``table_name``, of a version that this code may not declare."""
    return f"{name}_v{version}"


def consumer_of(model: Model, version: int | None = None) -> str:
    """Name the cursors of *model*, in the version that this code declares or in another."""
    return consumer_named(model.name, version or model.version)


def consumer_named(name: str, version: int) -> str:
    """As ``consumer_of``, for a version that this code may not know."""
    return f"{name}{VERSION}{version}"


def read_consumer(consumer: str) -> tuple[str, int | None]:
    """Tell whose cursors they are, and of which version; None: of no read model."""
    name, _, version = consumer.partition(VERSION)
    return name, int(version) if version else None


async def serving_table(pool: Pool, model: Model) -> str:
    """Name the table that holds the rows of *model* as its readers know them.

    Raises:
        Unavailable: It is being built for the first time, or the database is not migrated.

    """
    return table_name(model, await serving_version(pool, model))


async def serving_version(pool: Pool, model: Model) -> int:
    """Tell which version of *model* is read: its own, or one that serves in its place.

    Raises:
        Unavailable: It is being built for the first time, or the database is not migrated.

    """
    known = _serving.setdefault(pool, {})
    version, until = known.get(model.name, (0, 0.0))
    if until > monotonic():
        return version
    asked = (model.name, shape_of(model), model.version)
    async with lend(pool) as connection:
        row = await (await connection.execute(SERVING, asked)).fetchone()
    if row is None:
        raise Unavailable(
            "projection.building",
            f"{model.name} is being built by this version of Asiento.",
            hint="`asiento projections list` shows how far it is. Ask again in a while.",
        )
    version = int(row[0])
    # Once built, a version stays; what serves in its place does so for a while.
    kept = float("inf") if version == model.version else monotonic() + LOOK_AGAIN_SECONDS
    known[model.name] = (version, kept)
    return version
