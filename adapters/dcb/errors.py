"""Our errors, as those that callers of the library know how to answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from eventsourcing.persistence import DataError, IntegrityError, OperationalError

from application.errors import Malformed, Unavailable
from application.ports import AppendConflict
from domain.kernel import Refused


@contextmanager
def as_the_library_says() -> Iterator[None]:
    """Translate what the block raises.

    Raises:
        IntegrityError: The boundary is not what it was.
        OperationalError: PostgreSQL is away, the store is busy, or the log is closed.
        DataError: A name can't be written.

    """
    try:
        yield
    except AppendConflict as error:
        raise IntegrityError("One more event is inside the boundary.") from error
    except (Unavailable, Refused) as error:
        raise OperationalError(f"{error.message} {error.hint}") from error
    except Malformed as error:
        raise DataError(f"{error.message} {error.hint}") from error
