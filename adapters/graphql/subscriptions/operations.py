"""The operations of one WebSocket, each under the id that its client gave it.

A subscription costs no task of its own once it is told what comes; a query or mutation has one.
"""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

import msgspec
from strawberry.types.graphql import OperationType

from adapters.graphql.answering import ANY, Prepared, prepare, run
from adapters.graphql.asked import Asked
from adapters.graphql.asking import Asking
from adapters.graphql.subscriptions.outbox import Outbox
from adapters.graphql.subscriptions.selecting import (
    Failed,
    Selection,
    open_feed,
    read_operation,
    told_of,
)
from adapters.graphql.subscriptions.topics import AnyTold, Subscription, Topics
from application.errors import TooMany

OPERATIONS_MAX: Final = 100


class Operation(Protocol):
    """What runs until it is stopped or has ended."""

    def stop(self) -> None: ...


class Operations:
    """What a client has asked for and not been answered to the end."""

    def __init__(self, outbox: Outbox, topics: Topics) -> None:
        self._outbox = outbox
        self._topics = topics
        self._running: dict[str, Operation] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._running

    async def start(self, name: str, asked: Asked, asking: Asking) -> None:
        """Run what is asked; whatever is wrong with it is told under its name."""
        try:
            self._check_room()
            prepared = await let_in(asking, asked)
            asked = prepared.asked
            operation = read_operation(asked.query, asked.operation_name)
            if operation.subscribes:
                feed, selection = await open_feed(operation, asked.variables, asking)
                line = _Line(self, name, selection)
                self._running[name] = Subscription(feed, line, self._outbox, self._topics)
            else:
                self._running[name] = _Once(self, name, prepared, asking)
        except Exception as error:  # noqa: BLE001 - a bug is logged, and told as one.
            self.fail(name, error)

    def _check_room(self) -> None:
        if len(self._running) >= OPERATIONS_MAX:
            raise TooMany(
                "subscriptions.too_many",
                f"{OPERATIONS_MAX} operations run over this connection already.",
                hint="Complete those that are not needed, or open one more connection.",
            )

    def stop(self, name: str) -> None:
        """Say no more under a name, where something is said under it."""
        if operation := self._running.pop(name, None):
            operation.stop()

    def stop_all(self) -> None:
        for name in list(self._running):
            self.stop(name)

    def say(self, text: str) -> None:
        self._outbox.put(text)

    def complete(self, name: str) -> None:
        self._running.pop(name, None)
        self.say(f'{{"type":"complete","id":{_json(name)}}}')

    def fail(self, name: str, error: Exception) -> None:
        self._running.pop(name, None)
        self.say(f'{{"type":"error","id":{_json(name)},"payload":{_json(told_of(error))}}}')


class _Line:
    """Tells a subscriber by messages of the protocol; but for the id they are everyone's."""

    __slots__ = ("_head", "_name", "_operations", "_selection")

    def __init__(self, operations: Operations, name: str, selection: Selection) -> None:
        self._operations = operations
        self._name = name
        self._selection = selection
        self._head = _next(name)

    def write(self, told: AnyTold) -> str:
        return f"{self._head}{self._selection.write(told)}}}"

    def complete(self) -> None:
        self._operations.complete(self._name)

    def fail(self, error: Exception) -> None:
        self._operations.fail(self._name, error)


class _Once:
    """A query or mutation, which is answered once."""

    def __init__(
        self, operations: Operations, name: str, prepared: Prepared, asking: Asking
    ) -> None:
        self._operations = operations
        self._name = name
        self._running = asyncio.create_task(self._answer(prepared, asking))

    def stop(self) -> None:
        self._running.cancel()

    async def _answer(self, prepared: Prepared, asking: Asking) -> None:
        try:
            answer = await run(asking, prepared)
            self._operations.say(f"{_next(self._name)}{_json(answer)}}}")
        except Exception as error:  # noqa: BLE001 - a bug is logged, and told as one.
            self._operations.fail(self._name, error)
        else:
            self._operations.complete(self._name)


async def let_in(asking: Asking, asked: Asked, kinds: AbstractSet[OperationType] = ANY) -> Prepared:
    """Find out whether what is asked may run, and charge its key for it.

    Raises:
        Failed: It may not.
        Malformed: It names no operation, or one that may not run here.

    """
    prepared = await prepare(asking, asked, kinds)
    if prepared.errors:
        raise Failed(prepared.errors)
    return prepared


def _next(name: str) -> str:
    return f'{{"type":"next","id":{_json(name)},"payload":'


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
