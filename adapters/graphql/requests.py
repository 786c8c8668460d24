"""What comes over HTTP: one request, or a few in an array; or a query in the address."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from adapters.graphql.asked import Asked, decoder
from application.errors import Malformed

JSON: Final = "application/json"
Batch: TypeAlias = list[Asked]

_one: msgspec.json.Decoder[Asked] = decoder(Asked)
_several: msgspec.json.Decoder[Batch] = decoder(Batch)
_object: msgspec.json.Decoder[dict[str, Any]] = decoder(dict[str, Any])  # Any: JSON.


def read_body(content_type: str, body: bytes, *, batch_max: int = 0) -> Asked | Batch:
    """Read what was posted.

    Raises:
        Malformed: It is no request, or holds too many.

    """
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise _unreadable(f"The content type is {content_type or 'missing'}")
    try:
        if not body.lstrip().startswith(b"["):
            return _one.decode(body)
        asked = _several.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _unreadable(str(error)) from error
    if not asked:
        raise _unreadable("The array is empty")
    if len(asked) > batch_max:
        raise Malformed(
            "graphql.batch_too_large",
            f"The array holds {len(asked)} requests, {batch_max} at most.",
            hint="Send several arrays, or one document of several fields.",
        )
    return asked


def read_one(body: bytes) -> Asked:
    """Read a single request, of whatever content type it was a part.

    Raises:
        Malformed: It is none.

    """
    asked = read_body(JSON, body)
    assert isinstance(asked, Asked), "An array would hold more than none."
    return asked


def read_address(given: Mapping[str, str]) -> Asked:
    """Read a query from the parameters of an address.

    Raises:
        Malformed: Its variables or extensions are no JSON objects.

    """
    try:
        return Asked(
            query=given.get("query", ""),
            operation_name=given.get("operationName"),
            variables=_read_object(given.get("variables")),
            extensions=_read_object(given.get("extensions")),
        )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _unreadable(str(error)) from error


def _read_object(text: str | None) -> dict[str, Any] | None:  # Any: JSON.
    return _object.decode(text) if text else None


def _unreadable(reason: str) -> Malformed:
    return Malformed(
        "graphql.bad_request",
        f"This is no GraphQL request: {reason}.",
        hint='POST application/json, such as {"query": "{ invoices { nodes { id } } }"}.',
    )
