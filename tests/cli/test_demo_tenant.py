"""The demo tenant is made once, and its file is mended where it is lost or no longer fits."""

import stat
import subprocess
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from adapters.cli.demo_file import FILE, Demo, read_demo
from adapters.cli.demo_tenant import ensure_demo_tenant
from adapters.settings import Settings
from tests.cli.conftest import Environment, command_line

STOP_SECONDS_MAX = 15


@pytest.fixture(scope="module", autouse=True)
def projector(environment: Environment) -> Iterator[None]:
    """A projector, so that keys become known."""
    process = subprocess.Popen(
        command_line("projector"), env=environment, stderr=subprocess.DEVNULL
    )
    yield
    process.terminate()
    assert process.wait(STOP_SECONDS_MAX) == 0


def ensured(settings: Settings) -> Demo:
    ensure_demo_tenant(settings)
    demo = read_demo(settings)
    assert demo is not None
    return demo


def test_the_file_is_private_and_holds_what_a_login_needs(settings: Settings) -> None:
    demo = ensured(settings)
    assert demo.tenant == "demo"
    assert demo.email.endswith("@asiento.example")
    assert demo.url == "http://127.0.0.1:8000"
    assert stat.S_IMODE((settings.data / FILE).stat().st_mode) == 0o600


def test_a_file_that_fits_is_kept_as_it_is(settings: Settings) -> None:
    assert ensured(settings) == ensured(settings)


def test_another_port_changes_the_url_alone(settings: Settings) -> None:
    before = ensured(settings)
    moved = ensured(replace(settings, port=8123))
    assert moved == replace(before, url="http://127.0.0.1:8123")


def test_a_lost_file_is_made_anew_with_another_user_and_key(settings: Settings) -> None:
    before = ensured(settings)
    (settings.data / FILE).unlink()
    after = ensured(settings)
    assert after.tenant == before.tenant
    assert after.email != before.email
    assert after.api_key != before.api_key


def test_a_file_of_another_database_is_replaced(settings: Settings) -> None:
    before = ensured(settings)
    text = (settings.data / FILE).read_text()
    other = before.api_key.replace("ask_", "ask_f", 1)
    (settings.data / FILE).write_text(text.replace(before.api_key, other[:5] + other[6:]))
    assert ensured(settings).api_key not in {before.api_key, other}
