"""`asiento api`: the API served by uvicorn until a signal ends it."""

import asyncio
import gc
import signal
import socket
import sys
from ipaddress import ip_network
from typing import Final

import uvicorn
from litestar import Litestar

from adapters.graphql.schema import schema
from adapters.graphql.subscriptions.audience import audience_of
from adapters.rest.app import make_app
from adapters.rest.frames import Frames
from adapters.rest.protocol import bounded_protocol
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import Malformed

STOP_SECONDS_MAX: Final = 5
LEAVE_SECONDS: Final = 0.2
"""What those who listen have to take in that they are sent away, and with what."""

PING_SECONDS: Final = 20.0
"""A WebSocket client that went away without a word is found after at most twice this."""

STUCK_SECONDS_MAX: Final = 30
"""A reader that takes nothing in for so long is disconnected; it comes back with its cursor."""

MESSAGE_BYTES_MAX: Final = 1_000_000
BACKLOG: Final = 2048


def serve(settings: Settings) -> int:
    """Serve until a signal; return the exit code, 0 or, where the port is taken, 1.

    PostgreSQL and Redis may come later and go away between: ``/ready`` tells.

    Raises:
        Malformed: A setting keeps it from starting.

    """
    listener = _listen(settings)
    if listener is None:
        return 1
    app = make_app(settings)
    schema()
    # What was made so far stays; looking through all of it for garbage held everyone up for 0.1 s.
    gc.collect()
    gc.freeze()
    server = _Server(_config(app, settings), app)
    # Uvicorn raises the signal again once it has stopped; a clean stop shall exit with 0.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda _number, _frame: None)
    with listener:
        server.run([listener])
    if app.state.failure is not None:
        raise app.state.failure
    return 0


def _config(app: Litestar, settings: Settings) -> uvicorn.Config:
    proxies = trusted_proxies(settings)
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=bounded_protocol(settings.request_head_bytes_max, settings.request_seconds_max),
        ws=Frames,
        ws_max_size=MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,  # A compressor each would be most of their memory.
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Unless told, uvicorn would believe what comes from this machine.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )


def trusted_proxies(settings: Settings) -> list[str]:
    """Name the proxies whose word counts of who calls: addresses and networks.

    Raises:
        Malformed: One of them is neither.

    """
    given = [each.strip() for each in (settings.trusted_proxies or "").split(",")]
    proxies = [each for each in given if each]
    for each in proxies:
        try:
            ip_network(each)
        except ValueError as error:
            raise Malformed(
                "settings.bad_proxy",
                f"TRUSTED_PROXIES holds {each!r}: {error}.",
                hint="Name addresses or networks, such as 10.0.0.7,10.1.0.0/16.",
            ) from None
    return proxies


class _Server(uvicorn.Server):
    """Tells those who listen that they are to listen elsewhere, before it stops."""

    def __init__(self, config: uvicorn.Config, app: Litestar) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # Who is sent away shall not come back to this process.
        runtime: Runtime | None = self._app.state.get("runtime")
        if runtime is not None:
            audience_of(runtime).send_away()
            await asyncio.sleep(LEAVE_SECONDS)
        await super().shutdown(sockets)


def _listen(settings: Settings) -> socket.socket | None:
    """Take the port before anything else is started, so that a taken one is all that is told."""
    host, port = settings.asiento_host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Where there is none, such a reader stays connected.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_SECONDS_MAX * 1_000)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        sys.stderr.write(
            f"{host}:{port} can't be listened on: {error.strerror}."
            " Set PORT or ASIENTO_HOST to another.\n"
        )
        return None
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener
