"""What can go wrong, named by what the caller can do about it."""

from typing import ClassVar


class ApplicationError(Exception):
    """The base of every answer that is not a result.

    Attributes:
        status: The HTTP status of this kind of error (RFC 9110).
        code: Stable and dotted, for programs.
        hint: What the caller can do next, for people.

    """

    status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Malformed(ApplicationError):
    """The request can't be understood. Mend it."""

    status = 400


class Unauthenticated(ApplicationError):
    """Nobody known is asking. Log in."""

    status = 401


class Forbidden(ApplicationError):
    """The caller may not do this. Ask for the permission."""

    status = 403


class NotFound(ApplicationError):
    """There is no such thing for this caller."""

    status = 404


class Conflict(ApplicationError):
    """Somebody else was first, again and again. Read, then ask again."""

    status = 412


class Changed(Conflict):
    """What the caller saw is not so any more. Read it again; the position says since when."""

    def __init__(self, code: str, message: str, *, hint: str, position: int) -> None:
        super().__init__(code, message, hint=hint)
        self.position = position


class TooMany(ApplicationError):
    """Too many requests. Wait, then ask again.

    Attributes:
        wait_seconds: How long, where that is known.

    """

    status = 429

    def __init__(
        self, code: str, message: str, *, hint: str, wait_seconds: int | None = None
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.wait_seconds = wait_seconds


class Unavailable(ApplicationError):
    """A server can't be reached or is busy. Ask again later; nothing was lost."""

    status = 503
