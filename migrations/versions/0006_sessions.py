"""Who is logged in."""

from migrations.files import run

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run("session")
