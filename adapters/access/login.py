"""Logging in: an address and a password for an access token, a few tries a minute."""

import time
from hashlib import sha256
from typing import Annotated, Final

from msgspec import Meta, Struct
from redis.exceptions import RedisError

from adapters.access.door import USER, door_of
from adapters.access.passwords import is_password
from adapters.runtime import Runtime
from application.errors import TooMany, Unauthenticated, Unavailable
from domain.access import Email
from domain.tenants import TenantIdText

TRIES_MAX: Final = 10
WINDOW_SECONDS: Final = 60
ADDRESS: Final = r"^[^\s\x00-\x1f@]+@[^\s\x00-\x1f@]+$"


class Credentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person logs in with."""

    email: Annotated[str, Meta(pattern=ADDRESS, max_length=254)]
    password: Annotated[str, Meta(max_length=1024)]
    tenant: Annotated[
        TenantIdText | None,
        Meta(description="For which one; the one that the person was registered for unless told."),
    ] = None


class AccessToken(Struct, frozen=True, kw_only=True):
    """A token and the seconds it holds (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme.


async def log_in(runtime: Runtime, given: Credentials, address: str) -> AccessToken:
    """Give a token to whoever knows the password.

    Raises:
        Unauthenticated: No such account or another password; which one is not said. Or it is
            no member of the tenant, or there is no such tenant.
        TooMany: This address tried this account too often.
        Unavailable: Redis, which counts the tries, is away.

    """
    await _count_try(runtime, given.email, address)
    door = door_of(runtime)
    user = await door.user(Email(given.email))
    known = await is_password(user.password_hash if user else None, given.password)
    if user is None or not known:
        raise Unauthenticated(
            "access.wrong_login",
            "This address and this password don't belong together.",
            hint="Check both, and try again.",
        )
    tenant = given.tenant or user.owner
    if await door.rights(tenant, user.user) is None:
        raise Unauthenticated(
            "access.no_member",
            "This person may do nothing for the tenant.",
            hint="Name another `tenant`, or ask an owner of it to be admitted.",
        )
    seconds = runtime.settings.token_seconds
    token = door.tokens.sign(
        f"{USER}{user.user}",
        tenant,
        now=runtime.clock.now(),
        seconds=seconds,
    )
    return AccessToken(access_token=token, expires_in=seconds)


async def _count_try(runtime: Runtime, email: str, address: str) -> None:
    who = sha256(f"{email.lower()}\0{address}".encode()).hexdigest()
    name = f"asiento:login:{who}:{int(time.time()) // WINDOW_SECONDS}"
    try:
        async with runtime.redis.pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW_SECONDS)
            tries, _ = await pipe.execute()
    except (RedisError, OSError) as error:
        raise Unavailable(
            "redis.unavailable",
            f"Redis can't be reached or broke off ({type(error).__name__}).",
            hint="Ask again when it is back. API keys go on working.",
        ) from error
    if tries > TRIES_MAX:
        raise TooMany(
            "access.too_many_logins",
            f"More than {TRIES_MAX} logins were tried within {WINDOW_SECONDS} seconds.",
            hint="Wait a minute, then try again.",
        )
