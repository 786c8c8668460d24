"""Documents by their hash: those that clients taught us, and those that an operator lists.

A client teaches one by Apollo's protocol: it sends the hash, is told that nobody knows it, sends
hash and text, and from then on the hash alone. A text is kept once, however many tenants taught
it; but each is known by what it taught itself, or a hash would tell that others sent its text.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, LiteralString
from weakref import WeakKeyDictionary

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from application.errors import Malformed, Unavailable
from domain.ids import TenantId

TAUGHT: Final = "asiento:documents"
TAUGHT_AT: Final = "asiento:documents:used"
TAUGHT_OF: Final = "asiento:documents:of"
TAUGHT_MAX: Final = 2_000
"""Of all tenants together, and so of one."""

TAUGHT_CHARACTERS_MAX: Final = 32_000
TAUGHT_SECONDS: Final = 30 * 86_400
"""After so long without any use at all, everything is forgotten."""

NEAR_MAX: Final = 500
KNOWN_MAX: Final = 20_000
"""Hashes by tenant that a process need not look up."""

VERSION: Final = 1
log = structlog.get_logger()

# Three keys: the texts by hash, when each was last used, and when by this tenant, of those that it
# taught. Given: the hash, how many are kept, for how many seconds, and the text, or nothing to look
# it up.
RECALL: LiteralString = """
if not ARGV[4] and not redis.call('ZSCORE', KEYS[3], ARGV[1]) then return false end
if ARGV[4] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[4]) end
local text = ARGV[4] or redis.call('HGET', KEYS[1], ARGV[1])
if not text then return false end
local now = redis.call('TIME')
local at = string.format('%.0f', now[1] * 1000000 + now[2])
redis.call('ZADD', KEYS[2], at, ARGV[1])
redis.call('ZADD', KEYS[3], at, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[2]))
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[2])
if over > 0 then
  for _, gone in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    redis.call('HDEL', KEYS[1], gone)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return text
"""


class Persisted(Struct, frozen=True, rename={"sha256": "sha256Hash"}):
    """What a client says of a document by its hash."""

    version: int
    sha256: str


class Taught:
    """The documents that clients taught, in Redis and the latest of them near."""

    def __init__(self, redis: Redis) -> None:
        self._recall = redis.register_script(RECALL)
        self._near: OrderedDict[str, str] = OrderedDict()
        self._known: OrderedDict[tuple[TenantId, str], None] = OrderedDict()

    async def find(self, tenant: TenantId, digest: str) -> str | None:
        """Return the text; None where *tenant* never taught it, or Redis, which has it, is away."""
        text = self._near.get(digest) if (tenant, digest) in self._known else None
        if text is None and (kept := await self._ask(tenant, digest)):
            text = kept.decode()
            self._remember(tenant, digest, text)
        return text

    async def teach(self, tenant: TenantId, digest: str, text: str) -> None:
        """Keep a document that may be run. One that is too long is sent whole each time."""
        known = (tenant, digest) in self._known and digest in self._near
        if not known and len(text) <= TAUGHT_CHARACTERS_MAX:
            self._remember(tenant, digest, text)
            await self._ask(tenant, digest, text)

    def _remember(self, tenant: TenantId, digest: str, text: str) -> None:
        self._near[digest] = text
        while len(self._near) > NEAR_MAX:
            self._near.popitem(last=False)
        self._known[tenant, digest] = None
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def _ask(self, tenant: TenantId, digest: str, *text: str) -> bytes | None:
        given: list[str | int] = [digest, TAUGHT_MAX, TAUGHT_SECONDS, *text]
        names = [TAUGHT, TAUGHT_AT, f"{TAUGHT_OF}:{tenant}"]
        try:
            kept: bytes | None = await self._recall(keys=names, args=given)
        except (RedisError, OSError) as error:
            log.warning("documents.forgotten", reason=type(error).__name__)
            return None
        return kept


def read_persisted(extensions: Mapping[str, object] | None, text: str | None) -> str | None:
    """Return the hash that a request names its document by; None where it names none.

    Raises:
        Malformed: It is no hash, or of another text than the one that came along.

    """
    given = (extensions or {}).get("persistedQuery")
    if given is None:
        return None
    try:
        named = msgspec.convert(given, Persisted)
    except msgspec.ValidationError:
        named = Persisted(0, "")
    if named.version != VERSION:
        raise Malformed(
            "graphql.bad_persisted_query",
            "This is no persisted query of version 1.",
            hint='Send extensions {"persistedQuery": {"version": 1, "sha256Hash": "..."}}.',
        )
    if text and sha256(text.encode()).hexdigest() != named.sha256:
        raise Malformed(
            "graphql.wrong_hash",
            "The hash is not that of the query that came along.",
            hint="Send the SHA-256 of the text as it is, in lower-case hex.",
        )
    return named.sha256


@cache
def listed(place: Path) -> Mapping[str, str]:
    """Read the documents that an operator lists, by hash: once, when they are first needed.

    Raises:
        Unavailable: They can't be read.

    """
    try:
        return {sha256(text.encode()).hexdigest(): text for text in _texts(place)}
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise Unavailable(
            "graphql.bad_document_list",
            f"The documents of GRAPHQL_DOCUMENTS can't be read ({type(error).__name__}).",
            hint="Name a folder of .graphql files, or a JSON file of texts by hash.",
        ) from error


def _texts(place: Path) -> Iterator[str]:
    if place.is_dir():
        for file in sorted(place.rglob("*.graphql")):
            yield file.read_text(encoding="utf-8")
    else:
        yield from msgspec.json.decode(place.read_bytes(), type=dict[str, str]).values()


_taught: WeakKeyDictionary[Redis, Taught] = WeakKeyDictionary()


def taught_of(redis: Redis) -> Taught:
    """Return what clients taught, as one process sees it."""
    taught = _taught.get(redis)
    if taught is None:
        taught = _taught[redis] = Taught(redis)
    return taught
