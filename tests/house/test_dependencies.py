"""What we stand on is chosen with a reason, pinned by its hash, and the same everywhere."""

import re
import tomllib
from typing import Final

import pytest

from tests.house.source import ROOT, source

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: Final = PROJECT["optional-dependencies"]
LOCKS: Final = {
    "requirements.lock": ("setup",),
    "requirements-dev.lock": ("setup", "dev"),
    "requirements-bench.lock": ("setup", "dev", "bench"),
}


def name_of(requirement: str) -> str:
    """Normalise as the registry does: ``Psycopg_Pool>=3 ; ...`` is psycopg-pool."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def direct(*extras: str) -> set[str]:
    listed = [*PROJECT["dependencies"], *(each for extra in extras for each in EXTRAS[extra])]
    return {name_of(each) for each in listed}


def pinned(lock: str) -> dict[str, str]:
    """Read name and the whole requirement of each entry of *lock*."""
    text = source(lock).text.replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name_of(entry): entry for entry in entries}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_of_a_lock_is_pinned_by_version_and_hash(lock: str) -> None:
    entry = r"[\w.\[\]-]+==[\w.]+(?: ; [^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+\s*"
    loose = [name for name, text in pinned(lock).items() if not re.fullmatch(entry, text)]
    assert not loose, f"{lock}: no version or no hash, use uv pip compile --generate-hashes."


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_server(lock: str) -> None:
    assert not re.findall(r"https?://\S+|file:\S+|--[a-gi-z]\S+", source(lock).text)


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_holds_every_direct_dependency(lock: str, extras: tuple[str, ...]) -> None:
    assert direct(*extras) <= pinned(lock).keys(), "Refresh the locks: see CONTRIBUTING.md."


def test_the_larger_locks_agree_with_the_smaller() -> None:
    run, dev, bench = (pinned(lock) for lock in LOCKS)
    assert versions(run).items() <= versions(dev).items() <= versions(bench).items()


def versions(lock: dict[str, str]) -> dict[str, str]:
    return {name: re.split(r"[ ;]", entry)[0] for name, entry in lock.items()}


def test_every_direct_dependency_has_its_reason() -> None:
    """A line says what for, why this one, and instead of what; and it goes with its package."""
    row = r"^\| `([^`]+)` \|(?: [^|]{3,} \|){3}$"
    named = re.findall(row, source("docs/dependencies.md").text, re.MULTILINE)
    assert set(named) == direct(*EXTRAS)
