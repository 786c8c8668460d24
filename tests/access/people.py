"""People with an account and a password, as operators register them."""

from functools import cache
from typing import Final
from uuid import uuid4

from adapters.accounts.passwords import hash_password
from adapters.runtime import Runtime
from application.access import email_fields
from application.kernel import EVERYTHING, Context, build
from domain.access import RegisterUser, UserId
from domain.ids import SYSTEM_TENANT, TenantId

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of people who last a test.
TENANT: Final = TenantId("01890000-0000-7000-8000-000000000001")
OPERATOR: Final = Context(
    tenant=SYSTEM_TENANT,
    actor="system",
    permissions=frozenset({EVERYTHING}),
    correlation_id="test",
)
hashed_once = cache(hash_password)


async def enrol(runtime: Runtime, email: str | None = None) -> UserId:
    """Register somebody for a company."""
    address = await email_fields(runtime.vault, email or f"{uuid4().hex}@example.org")
    password = hashed_once(PASSWORD)
    given = {**address, "password_hash": password, "tenant": TENANT, "permissions": ()}
    done = await runtime.bus.execute(build(RegisterUser, given, runtime.clock), OPERATOR)
    return UserId(done.ids["user"])
