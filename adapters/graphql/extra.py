"""Queries that no read model answers. What is asked for by name stands here."""

from strawberry.types.field import StrawberryField


def extra_fields() -> dict[str, StrawberryField]:
    """Make further fields of Query, by name."""
    return {}
