"""Nobody passes without a credential."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from adapters.access.door import admit
from adapters.access.shown import read_shown
from adapters.runtime import Runtime


class Authentication(AbstractAuthenticationMiddleware):
    """Puts the caller's context where handlers find it, as ``request.user``; who it is, as auth."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, scopes={ScopeType.HTTP})

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        runtime: Runtime = connection.app.state.runtime
        scope = connection.scope
        shown = read_shown(scope["headers"], str(scope.get("method")), scope["client"])
        admission = await admit(runtime, shown)
        return AuthenticationResult(user=admission.context, auth=admission)
