"""A GraphQL client as anybody could write one: HTTP to ask, graphql-transport-ws to watch."""

from collections.abc import AsyncIterator, Mapping
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from adapters.cli.demo_file import Demo
from application.errors import ApplicationError

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
SECONDS_MAX: Final = 60.0
Data = dict[str, Any]  # Any: what a document asks for.


class GraphQLFailed(ApplicationError):
    """The server answered with an error. Its own code says which."""


class DemoClient:
    """Asks and watches with the API key of demo.json."""

    def __init__(self, demo: Demo) -> None:
        self._host = urlsplit(demo.url).netloc
        self._headers = {"Authorization": f"Bearer {demo.api_key}"}

    def ask(self, document: str, variables: Mapping[str, object] | None = None) -> Data:
        """Send a query or a mutation, and return its data.

        Raises:
            GraphQLFailed: It was refused.

        """
        link = HTTPConnection(self._host, timeout=SECONDS_MAX)
        try:
            body = msgspec.json.encode({"query": document, "variables": variables or {}})
            headers = {**self._headers, "Content-Type": "application/json"}
            link.request("POST", "/graphql", body, headers)
            answer: Data = msgspec.json.decode(link.getresponse().read())
        finally:
            link.close()
        return _data(answer)

    async def watch(self, document: str, variables: Mapping[str, object]) -> AsyncIterator[Data]:
        """Subscribe, and yield the data of each answer until the server has no more.

        Raises:
            GraphQLFailed: The subscription was refused, or broke off.

        """
        async with connect(
            f"ws://{self._host}/graphql",
            subprotocols=[PROTOCOL],
            additional_headers=self._headers,
            proxy=None,
        ) as socket:
            payload = {"query": document, "variables": variables}
            await socket.send(msgspec.json.encode({"type": "connection_init"}), text=True)
            subscribe = {"id": "1", "type": "subscribe", "payload": payload}
            await socket.send(msgspec.json.encode(subscribe), text=True)
            async for text in socket:
                message: Data = msgspec.json.decode(text)
                match message["type"]:
                    case "next":
                        yield _data(message["payload"])
                    case "error":
                        _data({"errors": message["payload"]})
                    case "complete":
                        return
                    case "ping":
                        await socket.send(msgspec.json.encode({"type": "pong"}), text=True)


def _data(answer: Data) -> Data:
    if errors := answer.get("errors"):
        first = errors[0]
        extensions = first.get("extensions") or {}
        raise GraphQLFailed(
            extensions.get("code", "graphql.failed"),
            first["message"],
            hint=extensions.get("hint", "The server's log says more."),
        )
    data: Data = answer["data"]
    return data
