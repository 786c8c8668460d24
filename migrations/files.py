"""The migrations are SQL files; a revision names those it runs, in order."""

from pathlib import Path
from typing import Final

from alembic import op

SQL: Final = Path(__file__).parent / "sql"


def run(*names: str) -> None:
    """Run SQL files of ``migrations/sql`` as they are."""
    # The driver's own connection: SQLAlchemy would take a colon or a per cent sign for its own.
    connection = op.get_bind().connection.driver_connection
    assert connection is not None, "Alembic runs on a live connection."
    for name in names:
        connection.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))
