"""A time-stamping authority of our own, and logs to anchor."""

import shutil
from collections.abc import Iterator

import pytest

from tests.anchors.authority import Authority, make_authority, serving


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make the keys once: they take a moment."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which plays the time-stamping authority, is not installed")
    return make_authority(tmp_path_factory.mktemp("authority") / "keys")


@pytest.fixture
def authority(signer: Authority) -> Iterator[Authority]:
    """An authority in a good mood."""
    with serving(Authority(signer.folder)) as serving_now:
        yield serving_now
