"""What every resolver knows: the process it runs in, and on whose behalf."""

from typing import TypeAlias

import strawberry
from msgspec import Struct

from adapters.runtime import Runtime
from application.errors import Unauthenticated
from application.kernel import Context


class Asking(Struct, kw_only=True):
    """One request, or one WebSocket, whose caller shows itself in its first message.

    Attributes:
        connection_params: What that message held; the WebSocket handler puts it here.

    """

    runtime: Runtime
    caller: Context | None = None
    connection_params: dict[str, object] | None = None

    @property
    def context(self) -> Context:
        """The verified caller.

        Raises:
            Unauthenticated: Nobody is known to be asking.

        """
        if self.caller is None:
            raise Unauthenticated(
                "access.unauthenticated", "This needs a credential.", hint="Send one first."
            )
        return self.caller


Info: TypeAlias = strawberry.Info[Asking, None]
