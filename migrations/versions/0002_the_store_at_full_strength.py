"""What the store needs to be fast, to forget people, to start cold, and to be anchored."""

from migrations.files import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run(
        "closed_logs",
        "append_writer",
        "upkeep",
        "settle_writer_v1",
        "append_events_v2",
        "retire_append_events_v1",
        "guard_log_table_v1",
        "partition_log_v1",
        "anchor_heads_v1",
        "snapshot",
        "look_v1",
        "subject_key",
        "subject_keys_to_wrap_v1",
        "subject_keys_wrapped_by_v1",
        "stopped_for_keys_v1",
        "close_log_v1",
    )
    run("ownership_v2")
