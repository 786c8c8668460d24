"""What tests of projecting begin with; a module that wants it otherwise says so."""

from pathlib import Path

import pytest

from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.privacy.conftest import Desk
from tests.projecting.code import Code, code_of_today
from tests.projecting.rebuilding import Office


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


@pytest.fixture
def office(settings: Settings, runtime: Runtime) -> Office:
    """An operator who rebuilds."""
    return Office(settings, runtime.keyring)


@pytest.fixture
def old(settings: Settings, tmp_path: Path) -> Code:
    return code_of_today(tmp_path / "old", settings)


@pytest.fixture
def new(settings: Settings, tmp_path: Path) -> Code:
    return code_of_today(tmp_path / "new", settings)
