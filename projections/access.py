"""Keys and people that may act, as logins look them up."""

from datetime import datetime

from msgspec.structs import replace

from domain.access import (
    ApiKeyCreated,
    ApiKeyRevoked,
    Email,
    KeyEvent,
    KeyId,
    UserEnrolled,
    UserId,
)
from domain.ids import TenantId
from projections.kernel import Indexed, ReadModel, Row


class ApiKeyRow(Row):
    """One key. Its secret is not here, only the hash of it."""

    key: KeyId
    owner: TenantId
    name: str
    secret_sha256: str
    permissions: tuple[str, ...]
    expires_at: datetime | None = None
    revoked: bool = False


class ApiKeys(ReadModel[ApiKeyRow]):
    name = "api_keys"
    row = ApiKeyRow
    key = "key"
    permission = "access.key.read"
    public = False
    system = True

    @staticmethod
    def apply(row: ApiKeyRow | None, event: KeyEvent) -> ApiKeyRow | None:
        match event:
            case ApiKeyCreated():
                return ApiKeyRow(
                    key=event.key,
                    owner=event.tenant,
                    name=event.name,
                    secret_sha256=event.secret_sha256,
                    permissions=event.permissions,
                    expires_at=event.expires_at,
                )
            case ApiKeyRevoked():
                assert row is not None, "A key is created before it is revoked."
                return replace(row, revoked=True)


class UserRow(Row):
    """One person."""

    user: UserId
    email: Indexed[Email]
    password_hash: str
    owner: TenantId
    permissions: tuple[str, ...]


class Users(ReadModel[UserRow]):
    name = "users"
    row = UserRow
    key = "user"
    permission = "access.user.read"
    public = False
    system = True

    @staticmethod
    def apply(_row: UserRow | None, event: UserEnrolled) -> UserRow | None:
        return UserRow(
            user=event.user,
            email=event.email,
            password_hash=event.password_hash,
            owner=event.tenant,
            permissions=event.permissions,
        )
