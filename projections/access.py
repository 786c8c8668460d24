"""Keys that may act, and people, by their names."""

from datetime import datetime

from msgspec.structs import replace

from domain.access import (
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyRotated,
    Email,
    KeyEvent,
    KeyId,
    KeySecretId,
    RoleId,
    ServiceAccountAdded,
    ServiceAccountChanged,
    ServiceAccountEvent,
    ServiceAccountId,
    ServiceAccountResumed,
    ServiceAccountSuspended,
    UserEnrolled,
    UserId,
)
from domain.ids import TenantId
from projections.kernel import Indexed, ReadModel, Row


class ApiKeyRow(Row):
    """One key of a company, and what it may. Nothing of its secrets is here."""

    key: KeyId
    owner: TenantId
    name: str
    permissions: tuple[str, ...]
    service_account: Indexed[ServiceAccountId] | None = None
    networks: tuple[str, ...] = ()
    secret_id: KeySecretId | None = None
    expires_at: Indexed[datetime] | None = None
    former_until: datetime | None = None
    revoked: Indexed[bool] = False


class ApiKeys(ReadModel[ApiKeyRow]):
    name = "api_keys"
    row = ApiKeyRow
    key = "key"
    version = 2
    permission = "access.key.read"
    system = True

    @staticmethod
    def apply(row: ApiKeyRow | None, event: KeyEvent) -> ApiKeyRow | None:
        if isinstance(event, ApiKeyCreated):
            return ApiKeyRow(
                key=event.key,
                owner=event.tenant,
                name=event.name,
                permissions=event.permissions,
                service_account=event.service_account,
                networks=event.networks,
                secret_id=event.secret_id,
                expires_at=event.expires_at,
            )
        assert row is not None, "A key is created before anything happens to it."
        match event:
            case ApiKeyRotated():
                return replace(
                    row,
                    secret_id=event.secret_id,
                    expires_at=event.expires_at,
                    former_until=event.former_until,
                )
            case ApiKeyRevoked():
                return replace(row, revoked=True)


class ServiceAccountRow(Row):
    """A program that acts for the company by its keys, and by which roles."""

    service_account: ServiceAccountId
    name: str
    roles: tuple[RoleId, ...]
    suspended: bool = False


class ServiceAccounts(ReadModel[ServiceAccountRow]):
    name = "service_accounts"
    row = ServiceAccountRow
    key = "service_account"
    permission = "access.account.read"

    @staticmethod
    def apply(
        row: ServiceAccountRow | None, event: ServiceAccountEvent
    ) -> ServiceAccountRow | None:
        if isinstance(event, ServiceAccountAdded):
            return ServiceAccountRow(
                service_account=event.service_account, name=event.name, roles=event.roles
            )
        assert row is not None, "An account is added before anything happens to it."
        match event:
            case ServiceAccountChanged():
                return replace(row, name=event.name, roles=event.roles)
            case ServiceAccountSuspended():
                return replace(row, suspended=True)
            case ServiceAccountResumed():
                return replace(row, suspended=False)


class UserRow(Row):
    """One person, so that it can be said who did what. By what they log in stands in the log."""

    user: UserId
    email: Email
    owner: TenantId


class Users(ReadModel[UserRow]):
    name = "users"
    row = UserRow
    key = "user"
    version = 2
    permission = "access.user.read"
    public = False
    system = True

    @staticmethod
    def apply(_row: UserRow | None, event: UserEnrolled) -> UserRow | None:
        return UserRow(user=event.user, email=event.email, owner=event.tenant)
