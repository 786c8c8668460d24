"""API keys and service accounts as the world may call them.

A key is found by its id before anybody knows whose it is, so that its events are in the log of the
instance. Who asks for one acts for a company, and for the keys of no other.
"""

from typing import Final, TypeVar

from msgspec.structs import replace

from application.access import api_key_text
from application.kernel import EVERYTHING, Exposed, Looking, Outcome, SystemClock
from application.roles import giver_of, held_by
from application.secret_text import digest
from application.vault import Vault
from domain.access import (
    AddServiceAccount,
    ApiKey,
    ChangeServiceAccount,
    CreateApiKey,
    Issue,
    ResumeServiceAccount,
    RevokeApiKey,
    RotateApiKey,
    ServiceAccount,
    ServiceAccountId,
    SuspendServiceAccount,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command

S = TypeVar("S", bound=AddServiceAccount | ChangeServiceAccount | SuspendServiceAccount)
MANAGE_ACCOUNTS: Final = "access.account.manage"


async def _create(looking: Looking, command: CreateApiKey) -> CreateApiKey:
    """Say what the key opens, and keep nothing of its secret but the hash."""
    if command.service_account is None:
        opens: frozenset[str] | None = frozenset(command.permissions or ())
    else:
        opens = await _held(looking, command.service_account)
    return replace(command, secret=digest(command.secret), issue=_issue(looking, opens))


async def _rotate(looking: Looking, command: RotateApiKey) -> RotateApiKey:
    """As above: whoever has the new secret may what the key may."""
    key = await looking.fold(SYSTEM_TENANT, ApiKey.at(key=command.key))
    opens: frozenset[str] | None = frozenset(key.permissions)
    if key.service_account is not None and key.tenant == looking.caller.tenant:
        opens = await _held(looking, key.service_account)
    return replace(command, secret=digest(command.secret), issue=_issue(looking, opens))


async def _revoke(looking: Looking, command: RevokeApiKey) -> RevokeApiKey:
    """Let an operator of the instance revoke any key, and others those of their company."""
    caller = looking.caller
    of_instance = caller.tenant == SYSTEM_TENANT and EVERYTHING in caller.permissions
    return replace(command, tenant=None if of_instance else caller.tenant)


def _issue(looking: Looking, opens: frozenset[str] | None) -> Issue:
    return Issue(
        tenant=looking.caller.tenant,
        at=SystemClock().now(),
        days=looking.key_days,
        giver=giver_of(looking),
        opens=opens,
    )


async def _held(looking: Looking, account: ServiceAccountId) -> frozenset[str] | None:
    """Read off the log what a service account may; None: there is none."""
    tenant = looking.caller.tenant
    found = await looking.fold(tenant, ServiceAccount.at(service_account=account))
    if not found.name:
        return None
    return await held_by(looking.fold, tenant, found.roles, giver_of(looking).standard)


async def _with_its_giver(looking: Looking, command: S) -> S:
    return replace(command, giver=giver_of(looking))


async def _resume(looking: Looking, command: ResumeServiceAccount) -> ResumeServiceAccount:
    opens = await _held(looking, command.service_account) or frozenset()
    return replace(command, giver=giver_of(looking), opens=opens)


async def show_key(
    _vault: Vault, _tenant: TenantId, command: Command, outcome: Outcome
) -> str | None:
    """Write the key that a command gave out; None where the answer is that of an earlier one."""
    assert isinstance(command, CreateApiKey | RotateApiKey), "No other gives one out."
    given_out = outcome.ids.get("secret_id") == command.secret_id
    return api_key_text(command) if given_out else None


COMMANDS = (
    Exposed(
        command=CreateApiKey,
        permission="access.key.create",
        route="POST /api-keys",
        system=True,
        find=_create,
        secret=show_key,
    ),
    Exposed(
        command=RotateApiKey,
        permission="access.key.rotate",
        route="POST /api-keys/{key}/rotate",
        system=True,
        find=_rotate,
        secret=show_key,
    ),
    Exposed(
        command=RevokeApiKey,
        permission="access.key.revoke",
        route="POST /api-keys/{key}/revoke",
        system=True,
        find=_revoke,
        always=True,
    ),
    Exposed(
        command=AddServiceAccount,
        permission=MANAGE_ACCOUNTS,
        route="POST /service-accounts",
        find=_with_its_giver,
    ),
    Exposed(
        command=ChangeServiceAccount,
        permission=MANAGE_ACCOUNTS,
        route="POST /service-accounts/{service_account}/change",
        find=_with_its_giver,
    ),
    Exposed(
        command=SuspendServiceAccount,
        permission=MANAGE_ACCOUNTS,
        route="POST /service-accounts/{service_account}/suspend",
        find=_with_its_giver,
    ),
    Exposed(
        command=ResumeServiceAccount,
        permission=MANAGE_ACCOUNTS,
        route="POST /service-accounts/{service_account}/resume",
        find=_resume,
    ),
)
