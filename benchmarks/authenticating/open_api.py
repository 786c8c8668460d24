"""The API with its door off its hinges: whoever asks is let in as the owner of one company.

What a request costs here is what it costs without finding out who asks and what they may; that
the permission is among those found is still looked at. Good for nothing but to be measured.
Usage: ``python -m benchmarks.authenticating.open_api TENANT``.
"""

import sys

from adapters.access.door import Admission, Door
from adapters.access.owners import owner_permissions
from adapters.access.shown import Shown
from adapters.logging import configure_logging
from adapters.rest.serve import serve
from adapters.settings import load_settings
from application.kernel import Context
from domain.ids import TenantId


def main() -> int:
    context = Context(
        tenant=TenantId(sys.argv[1]),
        actor="user:anybody",
        permissions=frozenset(owner_permissions()),
        correlation_id="bench",
    )

    async def enter(_door: Door, _shown: Shown) -> Admission:
        return Admission(context=context)

    Door.enter = enter  # type: ignore[method-assign]
    settings = load_settings()
    configure_logging(settings, "api")
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
