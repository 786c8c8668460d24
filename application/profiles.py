"""The profile of a company as the world may call it."""

from application.kernel import Exposed
from domain.profiles import ChangeProfile

COMMANDS = (
    Exposed(command=ChangeProfile, permission="tenants.profile.change", route="POST /profile"),
)
