"""What the owner of a tenant may do, derived from the commands and read models there are."""

from application import access
from projections.kernel import readable


def owner_permissions() -> tuple[str, ...]:
    """List the permissions of every public command and every public read model."""
    return access.owner_permissions(readable())
