"""Who is asking: API keys, access tokens and passwords become a verified context."""

from adapters.access.door import Admission, admit, authenticate
from adapters.access.owners import owner_permissions

__all__ = ["Admission", "admit", "authenticate", "owner_permissions"]
