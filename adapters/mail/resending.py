"""Sending dead letters once more, when an operator has mended what stood in their way."""

from adapters.mail.composing import Composer, LetterEvent
from adapters.mail.posting import LETTERS
from adapters.postgres.projecting.news import Item
from adapters.postgres.projecting.reactions import Reacting
from adapters.runtime import Runtime
from application.errors import Unavailable
from application.mail import Mailer
from application.reactions import DeadLetter, Reaction
from domain.ids import TenantId
from domain.kernel import Refused


class Letters(Reaction):
    """Names the dead letters of letters. Nothing is reacted to by it."""

    name = LETTERS

    @staticmethod
    def on(event: LetterEvent) -> None:  # noqa: ARG004 - its type is what counts.
        return None


class Resending(Reacting):
    """Replays the events of letters: each is sent now, or stays a dead letter that says why."""

    def __init__(self, runtime: Runtime, mailer: Mailer) -> None:
        super().__init__(Letters, runtime.bus, runtime.vault)
        self._composer = Composer(runtime)
        self._mailer = mailer

    async def react_to(
        self, tenant: TenantId, item: Item, correlation_id: str
    ) -> DeadLetter | None:
        if item.event is None:
            return await super().react_to(tenant, item, correlation_id)
        assert isinstance(item.event, LetterEvent), "It is asked for by type."
        try:
            letter = await self._composer.compose(tenant, item.position, item.event)
            if letter is not None:
                await self._mailer.send(letter)
        except (Refused, Unavailable) as error:
            return DeadLetter(position=item.position, code=error.code, message=error.message)
        return None
