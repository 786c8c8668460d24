"""Nobody passes without a credential."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from adapters.access import authenticate
from adapters.runtime import Runtime


class Authentication(AbstractAuthenticationMiddleware):
    """Puts the caller's context where handlers find it, as ``request.user``."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, scopes={ScopeType.HTTP})

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        runtime: Runtime = connection.app.state.runtime
        context = await authenticate(runtime, connection.headers.get("authorization"))
        return AuthenticationResult(user=context, auth=None)
