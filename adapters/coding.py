"""Whether a caller takes an answer that is compressed."""

import re
from functools import lru_cache
from typing import Final

NOT_AT_ALL: Final = re.compile(r"\s*q=0(\.0*)?\s*")


@lru_cache
def takes_gzip(accepted: str) -> bool:
    """Read an Accept-Encoding header (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = {}
    for each in accepted.lower().split(","):
        coding, _, weight = each.partition(";")
        weights[coding.strip()] = weight
    gzip = weights.get("gzip", weights.get("*"))
    return gzip is not None and NOT_AT_ALL.fullmatch(gzip) is None
