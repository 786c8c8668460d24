"""Whatever happened, however its events are taken, every read model holds the same rows."""

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import json

from adapters.postgres.models.shown import shown, shown_type
from domain.kernel import Event
from projections.kernel import (
    ReadModel,
    Row,
    columns_with_hints,
    derived_columns,
    fold,
    project,
    read_models,
)
from tests.projections.histories import histories, possible
from tests.projections.kinds import KINDS

Model = type[ReadModel[Any]]
MODELS = [*read_models().values(), *KINDS]
every_model = pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])


def stored(model: Model, rows: dict[str, Row]) -> dict[str, Row]:
    """Write the rows and read them again, as a batch of the runtime does with its table."""
    decoder = json.Decoder(dict[str, model.row])  # type: ignore[name-defined] # Made at run time.
    return dict(decoder.decode(json.encode(rows)))


@every_model
@settings(max_examples=30, deadline=None)
@for_all(st.data())
def test_in_batches_rows_become_what_they_become_in_one_go(
    model: Model, data: st.DataObject
) -> None:
    history = data.draw(histories(model))
    rows: dict[str, Row] = {}
    left = list(history)
    while left:
        size = data.draw(st.integers(1, 5))
        for event in left[:size]:
            fold(model, rows, event)
        rows, left = stored(model, rows), left[size:]
    assert rows == project(model, history)


@every_model
@settings(max_examples=30, deadline=None)
@for_all(st.data())
def test_a_row_is_found_by_its_tags_and_folds_alone_as_of_each_moment(
    model: Model, data: st.DataObject
) -> None:
    history = data.draw(histories(model))
    keys = {key for event in history for key in model.keys(event)}
    for key in keys:
        tags = set(model.tags(key))
        row: Row | None = None
        for place, event in enumerate(history, 1):
            if key in model.keys(event):
                assert not tags or tags & event.tags
                row = model.fold(row, event, key)
            assert row == project(model, history[:place]).get(key)


@every_model
@settings(max_examples=30, deadline=None)
@for_all(st.data())
def test_an_event_names_each_row_it_touches_once_and_every_row_by_its_key(
    model: Model, data: st.DataObject
) -> None:
    history = data.draw(histories(model))
    for event in history:
        keys = model.keys(event)
        assert len(set(keys)) == len(keys)
    for key, row in project(model, history).items():
        assert getattr(row, model.key) == key


@every_model
@settings(max_examples=20, deadline=None)
@for_all(st.data())
def test_what_is_shown_of_a_row_is_the_row_and_what_is_derived_of_it(
    model: Model, data: st.DataObject
) -> None:
    for row in project(model, data.draw(histories(model))).values():
        seen = shown(row)
        assert isinstance(seen, model.row)
        assert seen.__struct_fields__ == tuple(columns_with_hints(model.row))
        for name in columns_with_hints(model.row):
            assert getattr(seen, name) == getattr(row, name)


@every_model
@settings(max_examples=5, deadline=None)
@for_all(st.data())
def test_what_no_command_lets_happen_is_no_history(model: Model, data: st.DataObject) -> None:
    history = data.draw(histories(model))
    assert possible(model, history) == history


def test_a_row_with_nothing_derived_is_shown_as_it_is() -> None:
    for model in MODELS:
        assert (shown_type(model.row) is model.row) == (not derived_columns(model.row))
        assert not derived_columns(shown_type(model.row))


def test_events_of_other_models_are_left_alone() -> None:
    class Unknown(Event):
        pass

    assert all(project(model, [Unknown()]) == {} for model in MODELS)
