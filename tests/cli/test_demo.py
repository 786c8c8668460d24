"""`asiento demo` shows everything, starts what it needs, and leaves nothing running."""

import re
from collections.abc import Iterator

import pytest

from adapters.embedded.instance import running_instance
from adapters.embedded.servers import remove_instance
from adapters.settings import Settings
from tests.cli.conftest import Asiento


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An instance that was never started."""
    settings = Settings(asiento_data=tmp_path_factory.mktemp("demo") / "data")
    yield settings
    remove_instance(settings)


def test_the_demo_ends_by_itself_with_0(asiento: Asiento, alone: Settings) -> None:
    urls = {"DATABASE_URL": "", "DATABASE_ADMIN_URL": "", "REDIS_URL": ""}
    answer = asiento("demo", ASIENTO_DATA=str(alone.data), **urls)
    assert answer.code == 0, answer.err
    assert "one each, no gap, no repeat" in answer.out
    named = re.search(r"A price of event (\d+) .* The audit names it: event \1\.", answer.out)
    assert named is not None
    assert "before and after" in answer.out
    assert running_instance(alone) is None
    left = asiento("tenant", "list", "--json", ASIENTO_DATA=str(alone.data), **urls).json
    assert [each["slug"] for each in left if each["slug"] != "system"] == ["demo"]
