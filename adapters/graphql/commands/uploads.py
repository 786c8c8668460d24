"""Files that come with a mutation, by the GraphQL multipart request specification.

A request says first what is to be done, then where its files belong, and then brings the files;
each is written to disk as it comes. They are gone when the answer is there: whoever wants to
keep one puts it among the blobs.
https://github.com/jaydenseric/graphql-multipart-request-spec
"""

import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final, NewType

import msgspec
import strawberry
from graphql import GraphQLError, ValueNode
from litestar.types import Receive
from msgspec import Struct
from multipart import (  # type: ignore[import-untyped] # It has types inside, and no marker.
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)
from strawberry.types.scalar import ScalarDefinition

from application.errors import Malformed, Unavailable

MULTIPART: Final = "multipart/form-data"
FORM_BYTES_MAX: Final = 1_000_000
"""What the operation, and the map, may hold."""

FILES_MAX: Final = 10
PLACES_MAX: Final = 20
BUFFER_BYTES: Final = 1 << 20
NAME_CHARACTERS_MAX: Final = 255
OPERATIONS: Final = "operations"
MAP: Final = "map"
PREFLIGHTED: Final = ("authorization", "x-requested-with", "graphql-require-preflight")
SPECIFICATION: Final = "https://github.com/jaydenseric/graphql-multipart-request-spec"
LIMITS: Final = (
    f"Send up to {FILES_MAX} files in {PLACES_MAX} places, and no more bytes than UPLOAD_BYTES_MAX."
)
HINT: Final = f"Send operations, map, then the files, by {SPECIFICATION}."

Upload = NewType("Upload", object)
Places = dict[str, list[str]]


class Received(Struct, frozen=True, kw_only=True):
    """A file that came, as long as the request lasts."""

    name: str
    path: Path
    size_bytes: int


class Uploaded(Struct, frozen=True):
    """A request whose files are all there."""

    operations: bytes
    places: Places
    files: Mapping[str, Received]

    def fill(self, variables: dict[str, Any]) -> None:
        """Put each file where the map says."""
        for name, places in self.places.items():
            for place in places:
                holder, key = _holder({"variables": variables}, place)
                holder[key] = self.files[name]


class TooLarge(Malformed):
    """More was sent than is taken. Send less."""

    status = 413


def is_upload(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == MULTIPART


def check_preflight(headers: Mapping[str, str]) -> None:
    """Refuse what any page may send in the name of whoever looks at it.

    A form needs no leave of ours to be sent by a browser; a header of one's own does.

    Raises:
        Malformed: There is no such header.

    """
    if not any(name in headers for name in PREFLIGHTED):
        raise Malformed(
            "graphql.preflight_required",
            "A browser sends such a request without asking first.",
            hint="Add the header GraphQL-Require-Preflight: 1.",
        )


@asynccontextmanager
async def uploaded(content_type: str, receive: Receive, bytes_max: int) -> AsyncIterator[Uploaded]:
    """Take a request in, and forget its files at the end, whatever the end is.

    Raises:
        Malformed: It is no such request, or too large.
        Unavailable: Its files can't be written.

    """
    with tempfile.TemporaryDirectory(prefix="asiento-upload-") as folder:
        form = _Form(Path(folder))
        try:
            await form.take(_parser(content_type), _reader(receive, bytes_max))
        except ParserLimitReached as error:
            raise TooLarge(
                "graphql.upload_too_large", f"This is too large: {error}.", hint=LIMITS
            ) from error
        except MultipartError as error:
            raise _bad(f"The form can't be read: {error}.") from error
        except OSError as error:
            raise Unavailable(
                "graphql.upload_not_kept",
                f"The file can't be written: {error.strerror}.",
                hint="Make room for temporary files, then send it again.",
            ) from error
        finally:
            form.close()
        yield form.result()


def upload_scalar() -> ScalarDefinition:
    """Make the type of a variable that a file takes the place of."""

    def read(value: object) -> Received:
        if isinstance(value, Received):
            return value
        raise GraphQLError(f"An Upload is a file of a multipart request, by {SPECIFICATION}")

    def read_literal(node: ValueNode, _variables: object = None) -> Received:
        return read(node)

    def write(_: object) -> object:
        raise GraphQLError("An Upload is never answered.")

    return strawberry.scalar(
        name="Upload",
        description="A file, sent by the GraphQL multipart request specification.",
        specified_by_url=SPECIFICATION,
        serialize=write,
        parse_value=read,
        parse_literal=read_literal,
    )


class _Form:
    """The parts of a request, in the order in which they may come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[str, bytearray] = {}
        self._places: Places = {}
        self._files: dict[str, Received] = {}
        self._part: MultipartSegment | None = None
        self._file: IO[bytes] | None = None

    async def take(
        self, parser: PushMultipartParser, read: Callable[[int], Awaitable[bytes]]
    ) -> None:
        async for event in parser.parse_async(read):
            if isinstance(event, MultipartSegment):
                self._begin(event)
            elif event is None:
                self._end()
            elif self._file is not None:
                self._file.write(event)
            else:
                self._add_text(event)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def result(self) -> Uploaded:
        if MAP not in self._texts:
            raise _bad("The form ends before its map.")
        if missing := self._places.keys() - self._files:
            raise _bad(f"The map names the file {min(missing)!r}, which did not come.")
        return Uploaded(bytes(self._texts[OPERATIONS]), self._places, self._files)

    def _begin(self, part: MultipartSegment) -> None:
        self._part = part
        expected = next((name for name in (OPERATIONS, MAP) if name not in self._texts), None)
        if expected is not None:
            if part.name != expected:
                raise _bad(f"The part {part.name!r} came where {expected} was expected.")
            self._texts[expected] = bytearray()
            return
        if part.name not in self._places:
            raise _bad(f"The file {part.name!r} has no place in the map.")
        if part.name in self._files:
            raise _bad(f"The file {part.name!r} came twice.")
        self._file = self._path().open("wb", buffering=BUFFER_BYTES)

    def _add_text(self, piece: bytes | bytearray) -> None:
        text = self._texts[MAP if MAP in self._texts else OPERATIONS]
        text += piece
        if len(text) > FORM_BYTES_MAX:
            raise ParserLimitReached(f"operations or map have more than {FORM_BYTES_MAX} bytes")

    def _end(self) -> None:
        part = self._part
        if part is None:
            return
        if self._file is not None:
            self._file.close()
            self._file = None
            self._files[str(part.name)] = Received(
                name=_name(part), path=self._path(), size_bytes=part.bytes_received
            )
        elif part.name == MAP:
            self._places = _places(bytes(self._texts[MAP]), bytes(self._texts[OPERATIONS]))

    def _path(self) -> Path:
        return self._folder / str(len(self._files))


def _parser(content_type: str) -> PushMultipartParser:
    _, options = parse_options_header(content_type)
    return PushMultipartParser(options.get("boundary", ""), max_segment_count=FILES_MAX + 2)


def _reader(receive: Receive, bytes_max: int) -> Callable[[int], Awaitable[bytes]]:
    """Read the body of a request piece by piece, as far as it may go."""
    size, more = 0, True

    async def read(_: int) -> bytes:
        nonlocal size, more
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _bad("The client went away in the middle.")
            more = message["more_body"]
            size += len(message["body"])
            if size > bytes_max:
                raise ParserLimitReached(f"the request has more than {bytes_max:,} bytes")
            if message["body"]:
                return message["body"]
        return b""

    return read


def _places(text: bytes, operations: bytes) -> Places:
    """Read the map, and hold it against the operation, before any file is taken in."""
    try:
        places = msgspec.json.decode(text, type=Places)
        asked = msgspec.json.decode(operations)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(f"operations or map is not the JSON it should be: {error}.") from error
    if not isinstance(asked, dict):
        raise _bad("operations holds no one operation; several can't share files.")
    named = [place for each in places.values() for place in each]
    if len(places) > FILES_MAX or len(named) > PLACES_MAX:
        raise TooLarge("graphql.upload_too_large", "There are too many files.", hint=LIMITS)
    if twice := {place for place in named if named.count(place) > 1}:
        raise _bad(f"Two files are to be in one place: {min(twice)}.")
    if unused := [name for name, each in places.items() if not each]:
        raise _bad(f"The file {unused[0]!r} is used nowhere.")
    for place in named:
        _check_place(asked, place)
    return places


def _check_place(asked: Mapping[str, object], place: str) -> None:
    root, _, rest = place.partition(".")
    variable = rest.partition(".")[0]
    query = str(asked.get("query", ""))
    if root != "variables" or not re.search(rf"\${re.escape(variable or '-')}\b", query):
        raise _bad(f"The document has no variable for the place {place!r}.")
    try:
        holder, key = _holder(asked, place)
        held = holder[key]
    except (LookupError, ValueError, TypeError):
        raise _bad(f"The variables have no place {place!r}.") from None
    if held is not None:
        raise _bad(f"There must be null at {place!r}, where the file goes.")


def _holder(root: Any, place: str) -> tuple[Any, Any]:  # noqa: ANN401 - JSON.
    """Walk to what holds the last step of a path such as ``variables.files.0``."""
    *path, last = place.split(".")
    for step in path:
        root = root[_key(root, step)]
    return root, _key(root, last)


def _key(holder: object, step: str) -> str | int:
    if not isinstance(holder, list):
        return step
    if step != str(place := int(step)) or place < 0:
        raise ValueError(step)
    return place


def _name(part: MultipartSegment) -> str:
    """Take the last step of the name alone: where the file lay is nobody's business."""
    last = re.split(r"[\\/]", part.filename or "")[-1]
    plain = "".join(each for each in last if each.isprintable())
    return plain[:NAME_CHARACTERS_MAX] or "upload"


def _bad(message: str) -> Malformed:
    return Malformed("graphql.bad_upload", message, hint=HINT)
