"""Each version of a read model beside the others, and the log looked over at a small price."""

from migrations.files import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run(
        "read_model",
        "version_cursors_v1",
        "pulse_v1",
        "lagging_v2",
        "stopped_v1",
        "caught_up_v1",
        "unended_jobs_v2",
        "search_extensions",
        "index_search_v1",
        "search_keys_v1",
        "webhook_delivery",
        "due_webhooks_v1",
        "skipped_event",
        "reaction",
        "begin_reaction_v1",
        "dead_letters_v1",
        "expire_keys_v2",
        "standing_v1",
        "folded_v1",
        "webhook_figures_v1",
        "rebuild",
        "position_at_v1",
    )
    run("ownership_v2")
    run("version_cursors")
