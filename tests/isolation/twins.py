"""Strangers come in pairs: what one is told of the company's, the other is told of nobody's.

Both are new and know nothing, so that whatever differs between their answers is of the company.
What can't be the same is written the same first: ids that were made, times, what a key may still
spend.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

import httpx
from msgspec import Struct

from adapters.access.owners import owner_permissions
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import build
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import CreateTenant
from tests.isolation.company import UUID, Company
from tests.rest.api import OPERATOR, caller, make_key, until_projected

TOGETHER: Final = 60
TOKEN: Final = re.compile(r"<<(\w+)>>")
MOMENT: Final = re.compile(r"\b20\d\d-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)?")
MADE: Final = (
    (re.compile(r"whsec_[\w+/=]+"), "SECRET"),
    (re.compile(r"ask_[\w-]+"), "SECRET"),
    # Of keys it is the position in the log of the instance, which is everybody's.
    (re.compile(r'"position":"?\d+"?(?=,"events":\[\{"type":"ApiKey)'), '"position":0'),
    (re.compile(r'(?<="type":"ApiKeyCreated","position":)"?\d+"?'), "0"),
    (re.compile(r'"remaining":\d+'), '"remaining":0'),
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "TAG"),
)
SHOWN_MAX: Final = 60
"""Characters of what was sent that a message repeats."""

EACH_ITS_OWN: Final = frozenset({"date", "x-request-id", "content-length"})
"""Headers that differ between any two answers; the length is that of the body."""

Json = Any  # JSON of any shape.
T = TypeVar("T")


class Stranger(Struct, frozen=True):
    """A tenant without any business, and the key of its owner."""

    id: TenantId
    slug: str
    key_id: str
    key: str


class Told(Struct, frozen=True):
    """An answer, as it would be written to anybody."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


def filled(template: T, values: Mapping[str, str]) -> T:
    """Put values in the places of a request, which stand there as ``<<name>>``."""
    made: Any = template  # Any: of the shape that came.
    if isinstance(template, str):
        made = TOKEN.sub(lambda found: values[found[1]], template)
    elif isinstance(template, dict):
        made = {filled(name, values): filled(each, values) for name, each in template.items()}
    elif isinstance(template, list):
        made = [filled(each, values) for each in template]
    result: T = made
    return result


def tokens(template: Json) -> set[str]:
    """Name the places of a request."""
    return {found[1] for found in TOKEN.finditer(repr(template))}


def plain(text: str, stranger: Stranger, sent: Mapping[str, str]) -> str:
    """Write what a stranger is told as it would be written to anybody."""
    for name, value in sorted(sent.items(), key=lambda each: -len(each[1])):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", name.upper(), text)
        if len(value) > SHOWN_MAX:
            text = text.replace(value[:SHOWN_MAX], name.upper())
    for name in ("id", "slug", "key_id"):
        text = text.replace(getattr(stranger, name), f"OWN {name}")
    numbers: dict[str, str] = {}
    text = UUID.sub(lambda found: numbers.setdefault(found[0], f"ID {len(numbers)}"), text)
    text = MOMENT.sub("MOMENT", text)
    for pattern, instead in MADE:
        text = pattern.sub(instead, text)
    return text


def told(answer: httpx.Response, stranger: Stranger, sent: Mapping[str, str]) -> Told:
    """Write an answer as it would be written to anybody."""
    headers = sorted(
        (name, plain(value, stranger, sent))
        for name, value in answer.headers.multi_items()
        if name not in EACH_ITS_OWN
    )
    return Told(answer.status_code, tuple(headers), plain(answer.text, stranger, sent))


class Strangers:
    """Makes strangers, and asks as them."""

    def __init__(self, runtime: Runtime, api: Settings, company: Company) -> None:
        self.runtime = runtime
        self.api = api
        self.company = company
        self._client = caller(api)
        self._client.headers["Accept-Encoding"] = "identity"
        self._kept: list[Stranger] = []
        self._readers: tuple[Stranger, Stranger] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    @property
    def insider(self) -> Stranger:
        """The company itself, to ask as it."""
        tenant = self.company.tenant
        return Stranger(tenant.id, tenant.slug, tenant.key_id, tenant.key)

    async def one(self) -> Stranger:
        if not self._kept:
            made = [self._make() for _ in range(TOGETHER)]
            found = await asyncio.gather(*made)
            await until_projected(self.runtime, SYSTEM_TENANT, max(at for _, at in found))
            self._kept = [stranger for stranger, _ in found]
        return self._kept.pop()

    async def pair(self) -> tuple[Stranger, Stranger]:
        """Lend two whom nothing has happened to yet."""
        return await self.one(), await self.one()

    async def readers(self) -> tuple[Stranger, Stranger]:
        """Lend the two who only ever read."""
        if self._readers is None:
            self._readers = await self.pair()
        return self._readers

    def stream(
        self, stranger: Stranger, request: Mapping[str, Json]
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send what ``httpx`` takes as a request, and read the answer as it comes."""
        headers = {"Authorization": f"Bearer {stranger.key}", **request.get("headers", {})}
        return self._client.stream(**{**request, "headers": headers})

    async def ask(self, stranger: Stranger, request: Mapping[str, Json]) -> httpx.Response:
        """Send what ``httpx`` takes as a request."""
        headers = {"Authorization": f"Bearer {stranger.key}", **request.get("headers", {})}
        return await self._client.request(**{**request, "headers": headers})

    async def alike(self, template: Mapping[str, Json], *, changes: bool = True) -> Told:
        """Ask for the company's and for nobody's; return the answer, which is the same."""
        names = tokens(template)
        assert names, "A request names something of the company."
        pair = await (self.pair() if changes else self.readers())
        answers = []
        for stranger, sent in zip(pair, self.sent(names), strict=True):
            answer = await self.ask(stranger, filled(template, sent))
            self.untraced(answer, *sent.values())
            answers.append(told(answer, stranger, sent))
        assert answers[0] == answers[1], template
        assert answers[0].status < 500, answers[0]
        return answers[0]

    def sent(self, names: set[str]) -> Iterator[dict[str, str]]:
        """Say what stands in places: what is the company's, then what is nobody's."""
        for which in (0, 1):
            yield {name: self.company.named[name][which] for name in names}

    def untraced(self, answer: httpx.Response, *sent: str) -> None:
        """See that an answer holds nothing of the company but what was sent."""
        text = f"{answer.text} {answer.headers}"
        assert self.company.traces(text, *sent) == [], text

    async def _make(self) -> tuple[Stranger, int]:
        runtime, slug = self.runtime, f"s-{uuid4().hex[:12]}"
        given = {"slug": slug, "name": slug, "country": "ES"}
        created = await runtime.bus.execute(build(CreateTenant, given, runtime.clock), OPERATOR)
        tenant = TenantId(created.ids["tenant"])
        key, text = await make_key(runtime, tenant, owner_permissions())
        return Stranger(tenant, slug, key, text), await runtime.store.head(SYSTEM_TENANT)
