"""Where an instance's servers are."""

from msgspec import Struct


class Urls(Struct, frozen=True, kw_only=True):
    """One URL for each, the administrator's for migrations alone."""

    database_url: str
    admin_database_url: str
    redis_url: str
