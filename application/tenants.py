"""Tenants as the world may call them. Closing and removing is for whoever runs the servers."""

from application.kernel import Exposed
from domain.tenants import (
    CloseTenant,
    CreateTenant,
    NoteArchive,
    NoteRemoval,
    NoteRestoration,
    ReopenTenant,
)

CLOSE = "tenants.tenant.close"
COMMANDS = (
    Exposed(
        command=CreateTenant, permission="tenants.tenant.create", route="POST /tenants", system=True
    ),
    Exposed(command=CloseTenant, permission=CLOSE, system=True),
    Exposed(command=NoteArchive, permission=CLOSE, system=True),
    Exposed(command=NoteRemoval, permission=CLOSE, system=True),
    Exposed(command=NoteRestoration, permission=CLOSE, system=True),
    Exposed(command=ReopenTenant, permission=CLOSE, system=True),
)
