"""An instance in a folder of its own, removed after the test, with nothing of it left running."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.processes import PROC
from adapters.embedded.servers import remove_instance
from adapters.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(asiento_data=tmp_path / "data")
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
