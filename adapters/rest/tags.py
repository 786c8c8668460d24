"""Tags of rows: what a reader saw, so that it can say so when it changes or asks again (RFC 9110).

A row's tag is the position of its last event, then a hash of its content. By the position a
change is refused that comes too late: it stands in the log, where it is compared at the command's
own place and not beside it. The hash is for caches, as a row may read otherwise without an event
of its own: when somebody is forgotten, or a new version shows another column.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, NewType, TypeAlias

import msgspec
from litestar import Request, Response
from litestar.datastructures import State

from adapters.postgres.models.conditions import Model, owner_column
from application import codec
from application.asks import Unchanged
from application.errors import Conflict, Malformed
from application.kernel import Context, Exposed
from projections.kernel import events_of, gathers, read_models

ReadRequest: TypeAlias = Request[Context, str, State]
Tag = NewType("Tag", str)
JSON: Final = "application/json"
HASH_LENGTH: Final = 32
POSITION_DIGITS_MAX: Final = 18
ANY: Final = "*"
CODED: Final = "-gzip"
"""What a tag ends with where the answer was compressed: another coding is another answer."""

ENTITY_TAG: Final = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
OF_A_ROW: Final = re.compile(rf"([0-9]{{1,{POSITION_DIGITS_MAX}}})-[0-9a-f]{{{HASH_LENGTH}}}")


def tag_of(body: bytes, position: int | None = None) -> Tag:
    """Make the tag of an answer; of a row as it is, with the position of its last event."""
    digest = sha256(body).hexdigest()[:HASH_LENGTH]
    return Tag(f'"{digest}"' if position is None else f'"{position}-{digest}"')


def tagged(
    request: ReadRequest, content: object, position: int | None = None, **others: str
) -> Response[Any]:  # Any: of any content.
    """Send content with its tag, or say that the caller has it (RFC 9110, 13.1.2)."""
    body = msgspec.json.encode(content)
    tag = tag_of(body, position)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", **others}
    known = request.headers.get("if-none-match")
    if known is not None and (kept := _kept(known, tag)):
        return Response(
            None, status_code=HTTPStatus.NOT_MODIFIED, headers={**headers, "ETag": kept}
        )
    return Response(body, media_type=JSON, headers=headers)


def _kept(header: str, tag: Tag) -> Tag | None:
    """Return the tag under which the caller has the answer; None: it has it not."""
    if header.strip() == ANY:
        return tag
    # The comparison is weak: what differs by its coding alone is the same to a cache.
    mine = tag.strip('"')
    for _, value in _read(header) or ():
        if value.removesuffix(CODED) == mine:
            return Tag(f'"{value}"')
    return None


def named_model(exposed: Exposed, in_path: list[str]) -> Model | None:
    """Find the read model of which the path of a command names one row."""
    for model in read_models().values():
        of_one = model.public and not gathers(model) and model.key in in_path
        if of_one and model.system == exposed.system:
            return model
    return None


def condition_of(
    header: str | None, model: Model | None, places: Mapping[str, str], context: Context
) -> Unchanged | None:
    """Read If-Match as a condition on the row that the path names; None where it isn't sent.

    Raises:
        Malformed: It holds no tags, or the address names no row.
        Conflict: None of its tags can be one of a row's.

    """
    if header is None:
        return None
    if model is None:
        raise Malformed(
            "command.nothing_to_match",
            "This address names no row that If-Match could speak of.",
            hint="Leave the header out. A new thing is made once by an Idempotency-Key.",
        )
    tag = f"{model.key}:{places[model.key]}"
    codec.check_tag(tag)
    types = codec.stored_names(events_of(model))
    positions = None if header.strip() == ANY else _positions(header)
    owner = owner_column(model, context) and f"tenant:{context.tenant}"
    return Unchanged(tag=tag, types=types, positions=positions, owner=owner)


def _positions(header: str) -> frozenset[int]:
    given = _read(header)
    if given is None:
        raise Malformed(
            "input.bad_tag",
            "If-Match holds something that is no tag.",
            hint="Send the ETag of the row in its quotes, several with commas between them, or *.",
        )
    rows = (OF_A_ROW.fullmatch(value.removesuffix(CODED)) for weak, value in given if not weak)
    positions = frozenset(int(row[1]) for row in rows if row is not None)
    if not positions:
        raise Conflict(
            "command.matches_nothing",
            "A weak tag matches nothing (RFC 9110, 13.1.1)."
            if any(weak for weak, _ in given)
            else "This is no tag of a row as it is.",
            hint="Send the ETag that GET of the row answers, without as_of.",
        )
    return positions


def _read(header: str) -> list[tuple[bool, str]] | None:
    """Read tags: whether each is weak, and what stands in its quotes; None: they are none."""
    found, at = [], 0
    while at < len(header):
        tag = ENTITY_TAG.match(header, at)
        if tag is None:
            return None
        found.append((tag[1] is not None, tag[2]))
        at = tag.end()
    return found or None
