"""What the store needs to be fast, to forget people, to start cold, and to be anchored."""

from migrations.files import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run()
