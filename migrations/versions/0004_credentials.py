"""What opens the systems outside: sealed by a key of the tenant, which is wrapped in its turn."""

from migrations.files import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run(
        "credential_secret",
        "credential_keys_to_wrap_v1",
        "drop_idle_credentials_v1",
        "credential_figures_v1",
    )
    run("ownership_v2")
