"""The event store, its cursors, and the staging tables of imports."""

from migrations.files import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    run(
        "roles",
        "tables",
        "row_level_security",
        "chain",
        "append_events_v1",
        "lagging_v1",
        "heads_v1",
        "cursors_v1",
        "expire_keys_v1",
        "forget_cursors_v1",
        "unended_jobs_v1",
        "ownership",
    )
