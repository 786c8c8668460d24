"""Who is asking: API keys, access tokens and passwords become a verified context."""

from adapters.access.door import authenticate
from adapters.access.owners import owner_permissions

__all__ = ["authenticate", "owner_permissions"]
