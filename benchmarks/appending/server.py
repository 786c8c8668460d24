"""The measured server: an embedded PostgreSQL of its own, thrown away at the end.

Every case starts in a fresh database, so that none pays for the rows of another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

import psycopg
from msgspec import Struct
from psycopg import sql

from adapters.embedded.places import find_places
from adapters.embedded.servers import Urls, embedded_servers, remove_instance
from adapters.logging import configure_logging
from adapters.postgres.migrate import migrate
from adapters.settings import Settings

TEMPLATE: Final = "bench_template"
PLAIN: Final = "bench_plain"


class Server(Struct, frozen=True, kw_only=True):
    """A running server, a folder for files of the run, and how to get databases."""

    urls: Urls
    postmaster: int
    folder: Path

    @contextmanager
    def fresh_database(self, name: str) -> Iterator[Urls]:
        """Give a migrated database with nothing in it, and drop it at the end."""
        with self._admin() as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(TEMPLATE)
                )
            )
        try:
            self.settle()
            yield self.named(name)
        finally:
            with self._admin() as admin:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def named(self, database: str) -> Urls:
        return Urls(
            database_url=_at(self.urls.database_url, database),
            admin_database_url=_at(self.urls.admin_database_url, database),
            redis_url=self.urls.redis_url,
        )

    def settle(self) -> None:
        """Write out what earlier cases left in memory, so that no later one waits for it."""
        with self._admin() as admin:
            admin.execute("CHECKPOINT")

    @contextmanager
    def _admin(self) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        with psycopg.connect(self.urls.admin_database_url, autocommit=True) as connection:
            yield connection


def _at(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


@contextmanager
def measured_server() -> Iterator[Server]:
    """Start the embedded servers, whatever DATABASE_URL says, with their own settings."""
    with TemporaryDirectory(prefix="asiento-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # Root's servers run as another user, who has to pass.
        settings = Settings(asiento_data=folder / "instance", log_level="warning")
        configure_logging(settings, "bench")
        try:
            with embedded_servers(settings) as urls:
                pid_file = find_places(settings).postgres / "postmaster.pid"
                postmaster = int(pid_file.read_text().split()[0])
                server = Server(urls=urls, postmaster=postmaster, folder=folder)
                _prepare(server)
                yield server
        finally:
            remove_instance(settings)


def analyse(urls: Urls) -> None:
    """Let the planner know what is in the tables, as autovacuum would in the first minute."""
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute("ANALYZE")


def _prepare(server: Server) -> None:
    with psycopg.connect(server.urls.admin_database_url, autocommit=True) as admin:
        for name in (TEMPLATE, PLAIN):
            admin.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )
    template = server.named(TEMPLATE)
    migrate(template.admin_database_url, template.database_url)
