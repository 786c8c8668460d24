"""A TCP proxy that counts the statements that go to PostgreSQL through it.

Source: PostgreSQL's frontend/backend protocol 3.0: a type byte, a length, the rest; the first
message of a connection has no type byte.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Final

from psycopg import conninfo

CHUNK_BYTES: Final = 1 << 16
LENGTH_BYTES: Final = 4
EXECUTED: Final = frozenset(b"QE")  # A simple query, or the execution of a prepared one.


class Counter:
    """Stands where a client takes the server to be."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lock = Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.statements = 0

    def serve(self) -> None:
        """Take connections until it is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._target)
                for link in (client, server):
                    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Thread(target=self._up, args=(client, server), daemon=True).start()
                Thread(target=_down, args=(server, client), daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        unread, begun = b"", False
        with suppress(OSError), client, server:
            while chunk := client.recv(CHUNK_BYTES):
                server.sendall(chunk)
                unread += chunk
                while len(unread) > LENGTH_BYTES + begun:
                    length = begun + int.from_bytes(unread[begun : begun + LENGTH_BYTES])
                    if len(unread) < length:
                        break
                    if begun and unread[0] in EXECUTED:
                        with self._lock:
                            self.statements += 1
                    unread, begun = unread[length:], True


def _down(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError), client, server:
        while chunk := server.recv(CHUNK_BYTES):
            client.sendall(chunk)


@contextmanager
def counted(url: str) -> Iterator[tuple[str, Counter]]:
    """Give a URL that leads to the same server by way of a counter."""
    known = conninfo.conninfo_to_dict(url)
    counter = Counter(str(known["host"]), int(str(known["port"])))
    Thread(target=counter.serve, daemon=True).start()
    try:
        # What is encrypted can't be counted.
        yield (
            conninfo.make_conninfo(
                url, host="127.0.0.1", port=counter.port, sslmode="disable", gssencmode="disable"
            ),
            counter,
        )
    finally:
        counter.close()
