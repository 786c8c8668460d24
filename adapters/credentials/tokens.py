"""Access tokens: asked for once, however many wait, and kept until shortly before they end.

In a process those who wait share one request. Processes take turns by a lock of PostgreSQL, which
falls with its holder's connection, so that a refresh token that changes is never used twice.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from time import monotonic
from typing import Final

import structlog
from msgspec import Struct

from adapters.credentials.cache import TokenCache, Wanted
from adapters.credentials.safe import Place, PostgresSafe
from adapters.credentials.using import User
from adapters.postgres.locks import held
from adapters.settings import Settings
from application.credentials import AccessToken, Opened, TokenServerAway
from application.errors import Unavailable
from application.kernel import Context, SystemClock
from application.webhooks import Reach
from domain.credentials import Credential, CredentialName, Kind
from domain.ids import TenantId
from domain.kernel import Refused

GRANTABLE: Final[frozenset[Kind]] = frozenset(
    {
        "google_service_account",
        "oauth2_client_credentials",
        "oauth2_refresh_token",
        "docuware",
    }
)
"""The kinds of secrets that access tokens are got with."""

SPARE_SECONDS_MAX: Final = 60.0
SPARE_PART: Final = 0.1
"""How long before its end a token is not given out any more: this part of its time, or a minute."""

KEPT_MAX: Final = 10_000
WAIT_SECONDS: Final = 60.0
"""How long one process waits for another that asks for the same."""

REST_SECONDS: Final = 5.0
"""How long a server that said no, or was away, is not asked the same again by this process."""

REST_SECONDS_MAX: Final = 3_600.0
"""As long as that, where it asks for more."""

SAVE_SECONDS: Final = 60.0
SAVE_PAUSE_SECONDS: Final = 0.5
PURPOSE: Final = "access token: "
PURPOSE_CHARACTERS_MAX: Final = 200

log = structlog.get_logger()


class _Near(Struct, frozen=True):
    """A token in this process, and until when it is given out."""

    token: AccessToken
    until: float

    def is_good(self, refused: str | None) -> bool:
        return monotonic() < self.until and self.token.text != refused


class Tokens:
    """Implements ``application.credentials.AccessTokens``."""

    def __init__(
        self,
        *,
        settings: Settings,
        reach: Reach,
        user: User,
        safe: PostgresSafe,
        cache: TokenCache,
        clock: SystemClock,
    ) -> None:
        self._settings = settings
        self._reach = reach
        self._user = user
        self._safe = safe
        self._cache = cache
        self._clock = clock
        self._near: OrderedDict[Wanted, _Near] = OrderedDict()
        self._resting: dict[Wanted, tuple[float, Exception]] = {}
        self._asking: dict[Wanted, asyncio.Task[AccessToken]] = {}

    async def valid(
        self,
        context: Context,
        name: CredentialName,
        *,
        purpose: str,
        scopes: Collection[str] = (),
        refused: str | None = None,
    ) -> AccessToken:
        credential = await self._user.current(context, name)
        if credential.kind not in GRANTABLE:
            raise Refused(
                "credentials.no_tokens",
                f"{name} is of the kind {credential.kind}, with which no access token is got.",
                hint="Adapters use it as it is.",
            )
        wanted = _wanted(context.tenant, name, credential, scopes)
        near = self._near.get(wanted)
        if near is not None and near.is_good(refused):
            return near.token
        task = self._asking.get(wanted)
        if task is None:
            self._raise_resting(wanted)
            task = asyncio.create_task(self._ask(context, name, wanted, purpose, refused))
            self._asking[wanted] = task
            task.add_done_callback(lambda done: self._done(wanted, done))
        # Whoever goes away takes nothing from those who wait on.
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for what is under way: a refresh token that a server changed must be kept."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _raise_resting(self, wanted: Wanted) -> None:
        until, error = self._resting.get(wanted, (0.0, None))
        if error is not None and monotonic() < until:
            raise error.with_traceback(None)

    def _done(self, wanted: Wanted, task: "asyncio.Task[AccessToken]") -> None:
        self._asking.pop(wanted, None)
        self._resting = {w: rest for w, rest in self._resting.items() if rest[0] > monotonic()}
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Refused | Unavailable):
            asked = error.seconds if isinstance(error, TokenServerAway) else 0.0
            rest = max(REST_SECONDS, min(asked, REST_SECONDS_MAX))
            self._resting[wanted] = monotonic() + rest, error

    async def _ask(
        self,
        context: Context,
        name: CredentialName,
        wanted: Wanted,
        purpose: str,
        refused: str | None,
    ) -> AccessToken:
        if shared := await self._shared(wanted, refused):
            return shared
        lock = f"credential:{wanted.tenant}:{name}"
        url = self._settings.database_url or ""
        async with held(url, lock, seconds_max=WAIT_SECONDS) as mine:
            if not mine:
                raise Unavailable(
                    "credentials.busy",
                    f"Another process has been asking for a token of {name} for too long.",
                    hint="Ask again later.",
                )
            if shared := await self._shared(wanted, refused):
                return shared
            return await self._grant(context, name, wanted.scopes, purpose)

    async def _shared(self, wanted: Wanted, refused: str | None) -> AccessToken | None:
        """Take over what another process was given, while it is good."""
        token = await self._cache.find(wanted)
        if token is None or token.text == refused:
            return None
        left = (token.expires_at - self._clock.now()).total_seconds()
        # What it had in all is known to who got it; a tenth of what is left is on the safe side.
        good = _given_out(left)
        if good <= 0:
            return None
        self._keep_near(wanted, token, good)
        return token

    async def _grant(
        self, context: Context, name: CredentialName, scopes: tuple[str, ...], purpose: str
    ) -> AccessToken:
        from adapters.credentials.granting import Granting, renewed  # noqa: PLC0415 - slow.

        told = f"{PURPOSE}{purpose}"[:PURPOSE_CHARACTERS_MAX]
        credential, secret = await self._user.open_for(context, name, told)
        opened = Opened(version=credential.version, kind=credential.kind, text=secret.text)
        granting = Granting(
            reach=self._reach,
            google_token_uri=self._settings.google_token_uri,
            seconds_max=self._settings.credential_seconds_max,
        )
        document, asked_at = opened.document, self._clock.now()
        granted = await granting.grant(name, document, scopes)
        if changed := renewed(document, granted):
            place = Place(context.tenant, name, credential.secret_id)
            await self._save(lambda: self._safe.renew(place, secret, changed.text))
        token = AccessToken(
            text=granted.access_token,
            expires_at=asked_at + timedelta(seconds=granted.seconds),
            kind=granted.token_type,
        )
        good = _given_out(granted.seconds)
        wanted = _wanted(context.tenant, name, credential, scopes)
        self._keep_near(wanted, token, good)
        await self._cache.keep(wanted, token, good)
        log.info("credential.token_granted", tenant=context.tenant, credential=name)
        return token

    async def _save(self, renew: Callable[[], Awaitable[bool]]) -> None:
        """Keep the refresh token that a server gave; the former one is good no more."""
        deadline = monotonic() + SAVE_SECONDS
        while True:
            try:
                await renew()
            except Unavailable as error:
                if monotonic() > deadline:
                    log.error("credential.renewal_lost", code=error.code)  # noqa: TRY400 - no trace.
                    raise
                await asyncio.sleep(SAVE_PAUSE_SECONDS)
            else:
                return  # Where it was rotated or revoked meanwhile, nothing is there to renew.

    def _keep_near(self, wanted: Wanted, token: AccessToken, seconds: float) -> None:
        self._near[wanted] = _Near(token, monotonic() + seconds)
        self._near.move_to_end(wanted)
        while len(self._near) > KEPT_MAX:
            self._near.popitem(last=False)


def _given_out(seconds: float) -> float:
    """Say for how long a token is given out that is good for so long."""
    return seconds - min(seconds * SPARE_PART, SPARE_SECONDS_MAX)


def _wanted(
    tenant: TenantId, name: CredentialName, credential: Credential, scopes: Collection[str]
) -> Wanted:
    return Wanted(tenant, name, credential.secret_id, tuple(sorted(set(scopes))))
