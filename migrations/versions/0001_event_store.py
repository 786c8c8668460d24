"""The event store, its cursors, and the staging tables of imports."""

from migrations.files import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    run(
        "0001_roles",
        "0002_tables",
        "0003_row_level_security",
        "0004_chain",
        "0005_append_events_v1",
        "0006_work_v1",
        "0007_ownership",
    )
