"""Who asks our API: a tenant of its own, with an API key that the API knows by now."""

from time import monotonic, sleep
from typing import Final, LiteralString

from msgspec import Struct
from psycopg import sql

from adapters.embedded.servers import Urls
from adapters.postgres.models.versions import table_name
from benchmarks.appending.server import Server
from benchmarks.projecting.processes import asiento, projector
from benchmarks.projecting.tables import owner
from projections.access import ApiKeys

VISIBLE_SECONDS_MAX: Final = 60
POLL_SECONDS: Final = 0.1
KNOWN: LiteralString = "SELECT count(*) FROM {} WHERE owner = %s"


class Caller(Struct, frozen=True, kw_only=True):
    """A tenant, and a key with all rights in it."""

    tenant: str
    api_key: str

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("Authorization", f"Bearer {self.api_key}"),)


def open_books(server: Server, urls: Urls, slug: str) -> Caller:
    """Make a tenant, and let a projector fold its key into what the API looks keys up in.

    Raises:
        TimeoutError: The key doesn't come.

    """
    made = asiento(server, urls, "tenant", "create", slug, "--name", "Bench", "--country", "ES")
    known = sql.SQL(KNOWN).format(sql.Identifier(table_name(ApiKeys)))
    with projector(server, urls), owner(urls) as admin:
        deadline = monotonic() + VISIBLE_SECONDS_MAX
        while admin.execute(known, (made["tenant"],)).fetchone() == (0,):
            if monotonic() > deadline:
                raise TimeoutError(f"The key of {slug} isn't known yet.")
            sleep(POLL_SECONDS)
    return Caller(tenant=made["tenant"], api_key=made["api_key"])
