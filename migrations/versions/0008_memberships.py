"""The companies of a person, found without a look at all there are."""

from migrations.files import run

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run("membership", "companies_of_v1")
    run("ownership_v2")
