"""The forms of bodies: one of another form than is taken is refused by its name, and not read."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar import Request
from litestar.exceptions import HTTPException

from adapters.rest.tags import JSON

FORM: Final = "multipart/form-data"


def taking(*forms: str) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """Make what a handler runs first: a body of another form is refused before it is read."""

    async def check(request: Request[Any, Any, Any]) -> None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind or kind in forms or (JSON in forms and kind.endswith("+json")):
            return
        if request.headers.get("content-length", "") == "0":
            return
        raise HTTPException(
            status_code=415,
            detail=f"The body is {kind[:60]!r}, and {' or '.join(forms)} is taken.",
            headers={"Accept-Post": ", ".join(forms)},
        )

    return check


JSON_ONLY: Final = taking(JSON)
