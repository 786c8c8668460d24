"""Letters: a text for one address, and what takes it there.

What is in a letter may open an account, so that no letter shows itself in a log.
"""

from typing import Final, Protocol

from msgspec import Struct

SUBJECT_LENGTH_MAX: Final = 150


class Letter(Struct, frozen=True, kw_only=True):
    """A letter in plain text.

    Attributes:
        id: The same whenever the same letter is sent, so that a mailbox knows it again.

    """

    id: str
    to: str
    subject: str
    text: str

    def __repr__(self) -> str:
        return f"Letter({self.id!r})"


class Mailer(Protocol):
    """Takes letters where they go."""

    async def send(self, letter: Letter) -> None:
        """Send a letter; once more after a crash at worst, with the same id.

        Raises:
            Refused: It will not be taken, however often it is sent.
            Unavailable: It was not taken now. Send it again later.

        """
        ...


def one_line(text: str, most: int = SUBJECT_LENGTH_MAX) -> str:
    """Write any text on one line, so that it begins no other header and no paragraph."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    line = " ".join(plain.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
