"""Search: a row is found by words, each anywhere in what its model names, in any order.

Case and accents don't matter: both the text of a row and what is looked for are folded alike.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from projections.kernel import ReadModel, Row

NUL: Final = "\x00"
TEXT_LENGTH_MAX: Final = 10_000
WORDS_MAX: Final = 10
ACCENTS: Final = re.compile("[\u0300-\u0344\u0346-\u036f]+")
"""Marks on letters; the one left out is a letter when case is folded."""

ESCAPED: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def search_text(model: type[ReadModel[Any]], row: Row) -> str:  # Any: of any row.
    """Join the words of a row, as ``folded`` writes them."""
    found = [folded(text) for path in _paths(model.search) for text in _inside(row, path)]
    return " ".join(filter(None, found))[:TEXT_LENGTH_MAX]


def patterns(words: str) -> list[str]:
    """Write what LIKE finds a row by, one for each of *words*."""
    return [f"%{word.translate(ESCAPED)}%" for word in dict.fromkeys(folded(words).split())]


def folded(text: str) -> str:
    """Write *text* in lower case, without accents, with one space between words."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        bare = ACCENTS.sub("", parts)
        if not bare.isascii():
            folded_parts = unicodedata.normalize("NFKD", parts.casefold())
            return " ".join(folded_parts.translate(_BARE).split())
        text = bare  # As most are: what is left has no other case than a lower one.
    return " ".join(text.lower().replace(NUL, "").split())


class _Bare(dict[int, int | None]):
    """What each sign becomes: marks such as accents go, and so does what PostgreSQL can't hold."""

    def __missing__(self, sign: int) -> int | None:
        goes = unicodedata.combining(chr(sign)) or chr(sign) == NUL
        self[sign] = None if goes else sign
        return self[sign]


_BARE: Final = _Bare()


@cache
def _paths(search: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in search)


def _inside(value: object, path: tuple[str, ...]) -> Iterable[str]:
    """Find the texts that *path* leads to, in each of a list."""
    if value is None:
        return ()
    if isinstance(value, tuple):
        return [text for each in value for text in _inside(each, path)]
    return _inside(getattr(value, path[0]), path[1:]) if path else (str(value),)
