"""When API keys were used last."""

from migrations.files import run

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run("api_key_use")
