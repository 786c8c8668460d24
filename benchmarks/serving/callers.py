"""Who asks our API: a tenant of its own, with an API key."""

from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.projecting.processes import asiento


class Caller(Struct, frozen=True, kw_only=True):
    """A tenant, and a key with all rights in it."""

    tenant: str
    api_key: str

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("Authorization", f"Bearer {self.api_key}"),)


def open_books(server: Server, urls: Urls, slug: str) -> Caller:
    """Make a tenant and its first key, which opens at once."""
    made = asiento(server, urls, "tenant", "create", slug, "--name", "Bench", "--country", "ES")
    return Caller(tenant=made["tenant"], api_key=made["api_key"])
