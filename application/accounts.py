"""Accounts as the world may call them, and which passwords people may choose.

Long ones of any characters, and none that is guessed at first (OWASP ASVS 5.0, section 6.2).
"""

import string
import unicodedata
from collections.abc import Container, Iterator
from itertools import pairwise
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from application.errors import Malformed
from application.kernel import Exposed
from domain.access import ChangePassword, RehashPassword

COMMANDS = (
    Exposed(command=ChangePassword, permission="access.password.change", system=True),
    Exposed(command=RehashPassword, permission="access.password.rehash", system=True),
)

LENGTH_MIN: Final = 12
"""Between the 8 that are the least anybody may ask for, and the 15 that are well advised: without
a rule of what must be in it, and with common ones refused, people find one that they keep."""

LENGTH_MAX: Final = 1_024
NAME_LENGTH_MIN: Final = 4
"""Shorter names are in many a word, such as the `ana` of `banana`."""

PRODUCT: Final = "asiento"
STEPS_MAX: Final = 2
"""From one character to the next: a run such as `1234` knows one step, `112233` two."""

TRIMMED_MAX: Final = 6
"""Digits and signs that people hang on to a common password, such as a year and an exclamation."""

HUNG_ON: Final = string.digits + string.punctuation + " "
HINT: Final = "Take several words that don't belong together, or let a password manager make one."

GivenPassword: TypeAlias = Annotated[str, Meta(max_length=LENGTH_MAX)]
"""A password as somebody shows it. A longer one is refused before it is looked at."""


def prepared(password: str) -> str:
    """Return a password in the one form that is hashed, however it was typed.

    As OpaqueString has it (RFC 8265, section 4.2.2): every space is a plain one, and characters
    are composed (NFC). Case and width stay. Characters that it forbids are taken as they are.
    """
    plain = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    return unicodedata.normalize("NFC", plain)


def check_password(password: str, email: str, common: Container[str]) -> None:
    """See that a password may be chosen by the person of an address.

    Raises:
        Malformed: It is too short or too long, is no text, or is guessed at first.

    """
    _check_text(password)
    folded = prepared(password).casefold()
    names = (PRODUCT, email.partition("@")[0].casefold())
    if any(name in folded for name in names if len(name) >= NAME_LENGTH_MIN):
        raise Malformed(
            "access.password_of_name",
            "The password holds the name of its address, or of this product.",
            hint=HINT,
        )
    steps = {ord(after) - ord(before) for before, after in pairwise(folded)}
    if len(steps) <= STEPS_MAX or any(each in common for each in _guesses(password)):
        raise Malformed(
            "access.password_common",
            "The password is one of those that are tried first.",
            hint=HINT,
        )


def _check_text(password: str) -> None:
    if len(password) > LENGTH_MAX:
        raise Malformed(
            "access.password_too_long",
            f"The password has {len(password)} characters, and {LENGTH_MAX} are the most.",
            hint="Take a shorter one.",
        )
    text = prepared(password)
    if len(text) < LENGTH_MIN:
        raise Malformed(
            "access.password_too_short",
            f"The password has {len(text)} characters, and {LENGTH_MIN} are the least.",
            hint=HINT,
        )
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in text):
        raise Malformed(
            "access.password_unreadable",
            "The password holds a control character, or half of a character.",
            hint="Leave out tabs and line breaks.",
        )


def _guesses(password: str) -> Iterator[str]:
    """Name what an attacker's list may hold of a password: itself, its core, what it repeats."""
    text = prepared(password)
    folded = text.casefold()
    yield text
    yield folded
    core = folded.strip(HUNG_ON)
    if len(folded) - len(core) <= TRIMMED_MAX:
        yield core
    yield folded[: (folded + folded).find(folded, 1)]
