"""The secret of an instance: made once, private, and the same for all who start at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.access.secret import FILE, signing_key
from adapters.settings import Settings
from application.errors import Malformed

ASK = (
    "from pathlib import Path; import sys; from adapters.settings import Settings;"
    "from adapters.access.secret import signing_key;"
    "sys.stdout.write(signing_key(Settings(asiento_data=Path(sys.argv[1]))).hex())"
)


def test_it_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path / "data")
    assert signing_key(settings) == signing_key(settings)
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
    assert signing_key(given[0]) != signing_key(given[1])
    assert not list(tmp_path.iterdir())


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="ASIENTO_SECRET_KEY has 5 characters"):
        signing_key(Settings(asiento_data=tmp_path, asiento_secret_key="short"))  # noqa: S106 - too short to be one.
