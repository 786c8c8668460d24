"""Tenants as the world may call them."""

from application.kernel import Exposed
from domain.tenants import CreateTenant

COMMANDS = (
    Exposed(
        command=CreateTenant, permission="tenants.tenant.create", route="POST /tenants", system=True
    ),
)
