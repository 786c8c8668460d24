"""What every resolver knows: the process it runs in, and on whose behalf."""

from typing import TypeAlias

import strawberry
from msgspec import Struct, field

from adapters.runtime import Runtime
from application.errors import Unauthenticated
from application.kernel import Context


class Asking(Struct, kw_only=True):
    """One request, or one WebSocket, whose caller shows itself in its first message.

    Attributes:
        resume_after: The cursor that a reader of server-sent events comes back with.
        known: What is known to fail, by the name of the field in the answer.

    """

    runtime: Runtime
    caller: Context | None = None
    resume_after: int | None = None
    known: dict[str, Exception] = field(default_factory=dict)

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

    def raise_known(self, info: "Info") -> None:
        """Fail at once where a field of Query or Mutation was tried already, and failed."""
        if self.known and (error := self.known.get(str(info.path.key))):
            raise error


Info: TypeAlias = strawberry.Info[Asking, None]
