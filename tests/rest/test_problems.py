"""What went wrong here is told to the log alone; what is stuck is told from what is slow."""

import httpx
import structlog
from litestar import Litestar, get

from adapters.rest.edge import Counts, Edge
from adapters.rest.health import Lag, Stall, too_far
from adapters.rest.problems import HANDLERS
from application.errors import Unavailable
from application.kernel import SystemClock


@get("/bug")
async def bug() -> None:
    raise ZeroDivisionError("a secret of ours")


@get("/away")
async def away() -> None:
    raise Unavailable("database.unavailable", "It is away.", hint="Ask again.")


def client() -> httpx.AsyncClient:
    app = Litestar([bug, away], exception_handlers=HANDLERS, logging_config=None)
    app.asgi_handler = Edge(app.asgi_handler, Counts(), SystemClock())
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # ASGI types differ by library.
    return httpx.AsyncClient(transport=transport, base_url="http://asiento.test")


async def test_a_bug_is_told_to_the_log_and_not_to_the_caller() -> None:
    with structlog.testing.capture_logs() as logs:
        async with client() as asking:
            answer = await asking.get("/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    (failed,) = [line for line in logs if line["event"] == "request.failed"]
    assert isinstance(failed["exc_info"], ZeroDivisionError)
    assert answer.json()["instance"] == f"urn:request:{answer.headers['x-request-id']}"


async def test_a_server_that_is_away_is_to_be_asked_again() -> None:
    async with client() as asking:
        answer = await asking.get("/away")
    assert (answer.status_code, answer.json()["code"]) == (503, "database.unavailable")
    assert answer.headers["retry-after"] == "1"


def test_a_projector_that_moves_does_not_stand_still() -> None:
    stall = Stall()
    assert stall.seconds([Lag("t", "invoices", 1, 9)], 0.0) == 0
    assert stall.seconds([Lag("t", "invoices", 2, 9)], 40.0) == 0


def test_a_projector_that_does_not_move_is_told_for_how_long() -> None:
    stall = Stall()
    stall.seconds([Lag("t", "invoices", 2, 9)], 10.0)
    assert stall.seconds([Lag("t", "invoices", 2, 12)], 50.0) == 40


def test_a_log_that_is_caught_up_is_no_stall() -> None:
    stall = Stall()
    stall.seconds([Lag("t", "invoices", 2, 9)], 10.0)
    assert stall.seconds([], 50.0) == 0
    assert stall.seconds([Lag("t", "invoices", 9, 10)], 60.0) == 0


def test_a_projector_is_too_far_behind_where_the_settings_say_so() -> None:
    lags = [Lag("t", "jobs@1", 8, 9), Lag("u", "invoices@2", 2, 9)]
    assert too_far(lags, 6) == "invoices@2 is 7 events behind, 6 at most"
    assert too_far(lags, 7) is None
    assert too_far(lags, 0) is None
    assert too_far([], 1) is None
