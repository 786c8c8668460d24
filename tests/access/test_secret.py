"""The secret of an instance: made once, private, and the same for all who start at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.access.secret import FILE, keys_for
from adapters.settings import Settings
from application.errors import Malformed

ASK = (
    "from pathlib import Path; import sys; from adapters.settings import Settings;"
    "from adapters.access.secret import keys_for;"
    "sys.stdout.write(keys_for(Settings(asiento_data=Path(sys.argv[1])), 'test')[0].hex())"
)


def test_it_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path / "data")
    assert keys_for(settings, "test") == keys_for(settings, "test")
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in (tmp_path / "data").iterdir()] == [FILE]


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", ASK, tmp_path / "data"], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1


def test_a_secret_that_is_given_is_used(tmp_path: Path) -> None:
    given = [
        Settings(asiento_data=tmp_path, asiento_secret_key=secret * 32) for secret in ("a", "b")
    ]
    assert keys_for(given[0], "test") != keys_for(given[1], "test")
    assert not list(tmp_path.iterdir())


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="ASIENTO_SECRET_KEY has one of 5 characters"):
        keys_for(Settings(asiento_data=tmp_path, asiento_secret_key="short"), "test")  # noqa: S106 - too short to be one.


def test_each_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path)
    assert keys_for(settings, "one") != keys_for(settings, "another")


def test_former_secrets_are_known_behind_the_one_that_signs(tmp_path: Path) -> None:
    new, old = "n" * 32, "o" * 32
    both = Settings(asiento_data=tmp_path, asiento_secret_key=f"{new},{old}")
    alone = [Settings(asiento_data=tmp_path, asiento_secret_key=each) for each in (new, old)]
    assert keys_for(both, "test") == (*keys_for(alone[0], "test"), *keys_for(alone[1], "test"))
