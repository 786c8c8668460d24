"""What may happen to a read model: made of the golden events, with keys and figures varied."""

import json
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec.structs import fields, replace

from adapters.postgres.models.tables import plain_type
from application import codec
from domain.kernel import Event, key_fields, personal_fields, subject_of
from projections.kernel import ReadModel, Row, events_of, fold
from tests.invoicing.examples import LINES, RETURNED, line

Model = type[ReadModel[Any]]  # Any: of any row.
TESTS: Final = Path(__file__).parents[1]
RATES: Final = (line("2", "10.05", "21"), line("1", "3.333", "10.0"), line("1", "9", "1E+1"))
OF_FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "lines": st.sampled_from([LINES, RETURNED, RATES, (line("1", "0"),)]),
    "currency": st.sampled_from(["EUR", "JPY"]),
    "customer_code": st.sampled_from([None, "C7", "C:8"]),
    "kind": st.sampled_from(["invoice", "credit_note"]),
}
OF_TYPES: Final[dict[Any, st.SearchStrategy[Any]]] = {
    int: st.integers(0, 3),
    bool: st.booleans(),
    Decimal: st.sampled_from([Decimal(0), Decimal("0.005"), Decimal("1E+3")]),
    date: st.sampled_from([date(2026, 1, 31), date(2026, 2, 1), date(1, 1, 1)]),
}


@cache
def golden(event: type[Event]) -> Event:
    """Read the golden event of a type, with open texts where it has sealed ones."""
    (path,) = TESTS.glob(f"*/golden/{event.__name__}.json")
    data = json.dumps(json.loads(path.read_text())["data"])
    opened: dict[str, Any] = dict.fromkeys(personal_fields(event), "Ana Núñez")
    return replace(codec.decode_data(event.__name__, data, 1), **opened)


def histories(model: Model, size_max: int = 12) -> st.SearchStrategy[list[Event]]:
    """Draw what may happen, of the events that *model* understands."""
    return st.lists(st.one_of(*map(_varied, events_of(model))), max_size=size_max).map(
        lambda events: possible(model, events)
    )


def possible(model: Model, events: Iterable[Event]) -> list[Event]:
    """Leave out what no command would let happen: a job that starts before it is queued."""
    history: list[Event] = []
    rows: dict[str, Row] = {}
    for event in events:
        tried = dict(rows)
        try:
            fold(model, tried, event)
        except AssertionError:
            continue
        rows = tried
        history.append(event)
    return history


def _varied(event: type[Event]) -> st.SearchStrategy[Event]:
    example, hints = golden(event), get_type_hints(event, include_extras=True)
    varied = {
        field.name: strategy
        for field in fields(event)
        if (strategy := _field(example, field.name, hints[field.name])) is not None
    }
    return st.fixed_dictionaries(varied).map(lambda given: _somebodys(replace(example, **given)))


def _somebodys(event: Event) -> Event:
    """Take away what would be about nobody."""
    if subject_of(event) is not None:
        return event
    nothing: dict[str, Any] = dict.fromkeys(personal_fields(type(event)))
    return replace(event, **nothing)


def _field(example: Event, name: str, hint: object) -> st.SearchStrategy[Any] | None:
    plain, value = plain_type(hint), getattr(example, name)
    if name in OF_FIELDS and get_origin(plain) is not Literal:
        return OF_FIELDS[name]
    if get_origin(plain) is Literal:
        return st.sampled_from(get_args(plain))
    if name in key_fields(type(example)) and isinstance(value, str):
        return st.sampled_from([value, f"{value}-b"])
    return OF_TYPES.get(plain)
