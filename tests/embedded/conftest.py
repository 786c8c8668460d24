"""Instances in folders of their own, removed after use, with nothing of them left running."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.embedded.processes import PROC
from adapters.embedded.servers import remove_instance
from adapters.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An instance that the tests of a file use one after the other."""
    with _instance(tmp_path_factory.mktemp("shared")) as settings:
        yield settings


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Settings]:
    """An instance that was never started."""
    with _instance(tmp_path) as settings:
        yield settings


@contextmanager
def _instance(folder: Path) -> Iterator[Settings]:
    settings = Settings(asiento_data=folder / "data")
    yield settings
    names = [str(settings.data), *_id(settings.data)]
    remove_instance(settings)
    assert left_running(*names) == []


def left_running(*names: str) -> list[str]:
    """Return the command lines, and processes told, of what still runs for the instance."""
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if int(folder.name) != os.getpid() and any(name.encode() in text for name in names):
            found.append(text.replace(b"\0", b" ").decode(errors="replace"))
    return found


def _id(data: Path) -> list[str]:
    file = data / "instance-id"
    return [file.read_text()] if file.exists() else []
