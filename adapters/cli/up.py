"""`asiento up`: everything on one machine, in the foreground, until a signal ends it."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from typing import Final

from adapters.cli.output import Failure, Result, show, show_failure
from adapters.embedded.applications import APPLICATIONS, application, with_urls
from adapters.embedded.lock import hold
from adapters.embedded.places import make_data_folder
from adapters.embedded.processes import spawn
from adapters.embedded.record import SERVERS, Instance, end_former, remove_record, write_record
from adapters.embedded.servers import Servers
from adapters.embedded.supervisor import Ending, Supervisor, signals_interrupt
from adapters.embedded.urls import Urls
from adapters.settings import Settings
from application.errors import Unavailable

READY_SECONDS_MAX: Final = 60.0
ANSWER_SECONDS_MAX: Final = 2.0
# Both together, with what is killed after them, stay below the ten seconds of a clean stop.
APPLICATIONS_STOP_SECONDS: Final = 5.0
SERVERS_STOP_SECONDS: Final = 3.0
WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect, not to listen.
# What the caller can mend by asking differently; the rest is a server that can't be reached.
REFUSALS: Final = frozenset({"instance.running", "port.taken", "instance.not_ready"})


def up(settings: Settings, applications: Mapping[str, tuple[str, ...]] = APPLICATIONS) -> int:
    """Run the instance and return the exit code: 0 after a clean stop, 1 where it is refused.

    Args:
        settings: The URLs they name are used; servers that they don't name are started.
        applications: The command line of each process.

    Raises:
        Unavailable: A server can't be reached or started.

    """
    try:
        with (
            signals_interrupt() as ending,
            hold(make_data_folder(settings)),
            ExitStack() as stack,
        ):
            end_former(settings.data)
            _check_port(settings)
            _run(settings, applications, stack, ending)
    except KeyboardInterrupt:
        return 0
    except Unavailable as error:
        if error.code not in REFUSALS:
            raise
        failure = Failure(code=error.code, message=error.message, hint=error.hint, exit_code=1)
    return show_failure(failure, as_json=False)


def _run(
    settings: Settings,
    applications: Mapping[str, tuple[str, ...]],
    stack: ExitStack,
    ending: Ending,
) -> None:
    supervisor = Supervisor()
    servers = Servers(settings)
    stack.callback(remove_record, settings.data)
    stack.callback(supervisor.stop, SERVERS, SERVERS_STOP_SECONDS)
    stack.callback(servers.stop, SERVERS_STOP_SECONDS)
    stack.callback(supervisor.stop, list(applications), APPLICATIONS_STOP_SECONDS)
    servers.start()
    # Imported while the servers start: it takes as long as they do.
    from adapters.cli.demo_tenant import ensure_demo_tenant  # noqa: PLC0415
    from adapters.postgres.migrate import migrate  # noqa: PLC0415

    urls = servers.wait_ready()
    supervisor.add(servers.hand_over())
    days = settings.read_model_version_days
    migrate(urls.admin_database_url, urls.database_url, kept_days=days)
    programs = [application(name, argv, settings, urls) for name, argv in applications.items()]

    def record() -> None:
        write_record(settings.data, _instance(settings, urls, supervisor))

    with ending.held_back():
        supervisor.add((program, spawn(program)) for program in programs)
        record()
    ensure_demo_tenant(with_urls(settings, urls))
    with ending.held_back():
        deadline = time.monotonic() + READY_SECONDS_MAX
        supervisor.watch_until(lambda: ending.is_asked or _answers(settings, deadline), record)
        if not ending.is_asked:
            _say_ready(settings)
        supervisor.watch_until(lambda: ending.is_asked, record)


def _instance(settings: Settings, urls: Urls, supervisor: Supervisor) -> Instance:
    return Instance(
        url=_url(settings),
        database_url=urls.database_url,
        admin_database_url=urls.admin_database_url,
        redis_url=urls.redis_url,
        processes=supervisor.pids,
        supervisor=os.getpid(),
    )


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.asiento_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.asiento_host, settings.port))
        except OSError as error:
            raise Unavailable(
                "port.taken",
                f"{settings.asiento_host}:{settings.port} can't be used: {error.strerror}.",
                hint=f"Choose another, as in `make run PORT={settings.port + 1}`.",
            ) from None


def _answers(settings: Settings, deadline: float) -> bool:
    """Tell whether the API is ready; no proxy of the environment stands between."""
    link = HTTPConnection(_host(settings), settings.port, timeout=ANSWER_SECONDS_MAX)
    try:
        link.request("GET", "/ready")
        if link.getresponse().status == 200:  # noqa: PLR2004 - OK, RFC 9110.
            return True
    except (OSError, HTTPException):
        pass  # Not yet: it is looked at again.
    finally:
        link.close()
    if time.monotonic() > deadline:
        raise Unavailable(
            "instance.not_ready",
            f"The API did not become ready in {READY_SECONDS_MAX:.0f} seconds.",
            hint="What its processes wrote above says why.",
        )
    return False


def _host(settings: Settings) -> str:
    return WILDCARDS.get(settings.asiento_host, settings.asiento_host)


def _url(settings: Settings) -> str:
    host = _host(settings)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _say_ready(settings: Settings) -> None:
    places = (
        f"Asiento is ready: {_url(settings)}",
        f"The tenant demo, its address, password and API key: {settings.data / 'demo.json'}",
        "Ctrl-C stops it.",
    )
    show(Result(document=None, people=places), as_json=False)
