"""Commands as people call them: in a process of their own, on real servers."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from msgspec import Struct

from adapters.settings import Settings
from tests.cli import warm

SECONDS_MAX = 60
Environment: TypeAlias = dict[str, str]


class Answer(Struct, frozen=True, kw_only=True):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any document.
        return msgspec.json.decode(self.out)


Asiento: TypeAlias = Callable[..., Answer]


@pytest.fixture(scope="module")
def environment(settings: Settings) -> Environment:
    """What a shell would export to reach the servers."""
    return shell(
        DATABASE_URL=settings.database_url or "",
        DATABASE_ADMIN_URL=settings.database_admin_url or "",
        REDIS_URL=settings.redis_url or "",
        ASIENTO_DATA=str(settings.data),
    )


@pytest.fixture(scope="module")
def asiento(environment: Environment) -> Asiento:
    """Run a command and return its answer."""

    def call(*arguments: str, given: str = "", **others: str) -> Answer:
        done = warm.run(arguments, env=environment | others, given=given, timeout=SECONDS_MAX)
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    return call


@pytest.fixture(scope="module")
def tenant(asiento: Asiento) -> str:
    """A tenant that tests of reading share."""
    assert asiento("tenant", "create", "acme", "--name", "Acme SL", "--country", "ES").code == 0
    return "acme"


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "adapters.cli.main", *arguments]


def shell(**named: str) -> Environment:
    """An environment in which nothing of the developer's is set."""
    ours = {field.upper() for field in Settings.__struct_fields__}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2])} | named
