"""Tenants as the world may call them: by operators, who answer for the instance as a whole.

Closing and removing is for whoever runs the servers.
"""

from application.kernel import Exposed
from application.operators import tell
from domain.tenants import (
    CloseTenant,
    CreateTenant,
    NoteArchive,
    NoteRemoval,
    NoteRestoration,
    RenameTenant,
    ReopenTenant,
    ResumeTenant,
    SuspendTenant,
)

CLOSE = "tenants.tenant.close"
SUSPEND = "tenants.tenant.suspend"
COMMANDS = (
    Exposed(
        command=CreateTenant, permission="tenants.tenant.create", route="POST /tenants", system=True
    ),
    Exposed(
        command=RenameTenant,
        permission="tenants.tenant.rename",
        route="POST /tenants/{tenant}/rename",
        system=True,
        after=tell,
    ),
    Exposed(
        command=SuspendTenant,
        permission=SUSPEND,
        route="POST /tenants/{tenant}/suspend",
        system=True,
        after=tell,
    ),
    Exposed(
        command=ResumeTenant,
        permission=SUSPEND,
        route="POST /tenants/{tenant}/resume",
        system=True,
        after=tell,
    ),
    Exposed(command=CloseTenant, permission=CLOSE, system=True),
    Exposed(command=NoteArchive, permission=CLOSE, system=True),
    Exposed(command=NoteRemoval, permission=CLOSE, system=True),
    Exposed(command=NoteRestoration, permission=CLOSE, system=True),
    Exposed(command=ReopenTenant, permission=CLOSE, system=True),
)
