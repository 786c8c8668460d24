"""`asiento projections versions`: what deploys leave behind to go back to, and letting go of it."""

from adapters.cli.output import Result, Table, moment
from adapters.cli.session import with_servers
from adapters.postgres.models.keeping import Kept, drop_version, list_versions
from adapters.settings import Settings


def versions() -> Result:
    """List the versions of read models that there are, those of other code included.

    What this code reads is serving, or building for the first time. What other code reads is
    in use while its projector runs, and kept after that.
    """

    def work(settings: Settings) -> Result:
        found = list_versions(settings.owner_url)
        columns = ("NAME", "VERSION", "STATUS", "MADE", "BUILT", "SEEN", "SIZE")
        return Result(document=found, people=(Table(columns, [_shown(each) for each in found]),))

    return with_servers(work)


def drop(name: str, version: int, /) -> Result:
    """Remove a version that no code reads any more. It can be folded again from the events.

    Args:
        name: The read model, such as `invoices`.
        version: Its version, such as 1.

    """

    def work(settings: Settings) -> Result:
        gone = drop_version(settings.owner_url, name, version)
        said = f"Dropped version {gone.version} of {gone.name}, {_size(gone.size_bytes)}."
        return Result(document=gone, people=(said,))

    return with_servers(work)


def _shown(each: Kept) -> tuple[object, ...]:
    return (
        each.name,
        each.version,
        each.status,
        moment(each.made_at),
        moment(each.built_at),
        moment(each.seen_at),
        _size(each.size_bytes),
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:,.1f} MB"
