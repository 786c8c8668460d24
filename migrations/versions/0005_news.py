"""A projector begins a batch with one statement, so that a row is seen sooner."""

from migrations.files import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run("take_news_v1")
