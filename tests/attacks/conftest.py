"""One API that all attacks are made on."""

from tests.rest.conftest import api, client, other, runtime, settings, stranger, tenant

__all__ = ["api", "client", "other", "runtime", "settings", "stranger", "tenant"]
