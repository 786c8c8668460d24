"""Frames that are made here are those of the protocol."""

import pytest
from websockets.frames import Frame, Opcode

from adapters.rest.frames import MEDIUM_MAX, SMALL_MAX, framed


@pytest.mark.parametrize(
    "length", [0, 1, SMALL_MAX, SMALL_MAX + 1, MEDIUM_MAX, MEDIUM_MAX + 1, 1_000_000]
)
def test_a_text_of_any_length_is_framed_as_the_protocol_has_it(length: int) -> None:
    text = b"x" * length
    assert framed(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
