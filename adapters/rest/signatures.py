"""Functions whose arguments are declared elsewhere: by the fields of commands and rows."""

from collections.abc import Mapping
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any

from litestar import Response


def with_signature(function: Any, name: str, hints: Mapping[str, Any], answer: Any) -> Any:  # noqa: ANN401 - as above.
    """Give a function the arguments and the answer that the framework shall see.

    Arguments go by keyword; those that may be None are None where they are left out.
    """
    function.__name__ = function.__qualname__ = name
    function.__annotations__ = {**hints, "return": Response[answer]}
    function.__signature__ = Signature(
        [
            Argument(
                each,
                Argument.KEYWORD_ONLY,
                annotation=hint,
                default=None if _may_be_none(hint) else Argument.empty,
            )
            for each, hint in hints.items()
        ],
        return_annotation=Response[answer],
    )
    return function


def _may_be_none(hint: Any) -> bool:  # noqa: ANN401 - an annotation may be anything.
    members = getattr(getattr(hint, "__origin__", hint), "__args__", ())
    return type(None) in members
