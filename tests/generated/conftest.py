"""The API of the tests of REST, for those who make up requests to it."""

from tests.rest.conftest import api, runtime, settings

__all__ = ["api", "runtime", "settings"]
