"""What the library makes its recorders with: ``PERSISTENCE_MODULE=adapters.dcb.factory``."""

from typing import Final
from uuid import UUID

from eventsourcing.dcb.persistence import DCBInfrastructureFactory
from eventsourcing.persistence import InfrastructureFactoryError
from eventsourcing.popo import POPOTrackingRecorder

from adapters.dcb.recorder import TenantRecorder
from domain.ids import TenantId

URL: Final = "DATABASE_URL"
TENANT: Final = "ASIENTO_TENANT"


class TenantFactory(DCBInfrastructureFactory[POPOTrackingRecorder]):
    """Binds what it makes to the tenant ASIENTO_TENANT in the database DATABASE_URL."""

    _recorder: TenantRecorder | None = None

    def dcb_recorder(self) -> TenantRecorder:
        """Return the recorder, the same one each time.

        Raises:
            InfrastructureFactoryError: A variable is missing, or is no tenant's id.

        """
        if self._recorder is None:
            self._recorder = TenantRecorder(self._given(URL), self._tenant())
        return self._recorder

    def close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()

    def _tenant(self) -> TenantId:
        try:
            return TenantId(str(UUID(self._given(TENANT))))
        except ValueError:
            raise InfrastructureFactoryError(f"{TENANT} is not the id of a tenant.") from None

    def _given(self, name: str) -> str:
        value = self.env.get(name)
        if not value:
            raise InfrastructureFactoryError(f"{name} is not set.")
        return value
