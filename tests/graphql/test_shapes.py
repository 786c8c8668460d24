"""Types of GraphQL say of each field what its struct says of it."""

from typing import Annotated

import strawberry
from msgspec import Meta, Struct
from strawberry.schema.config import StrawberryConfig

from adapters.graphql.scalars import SCALARS
from adapters.graphql.shapes import input_type, value_type

REASON = "Read `amount` instead."


class Parcel(Struct, frozen=True, kw_only=True):
    """A parcel."""

    amount: int
    weight: Annotated[int | None, Meta(extra={"deprecated": REASON})] = None


def test_a_field_on_its_way_out_says_what_to_use_instead() -> None:
    made = value_type(Parcel)

    def parcel(given: int) -> int:
        return given

    parcel.__annotations__ |= {"given": input_type(Parcel), "return": made}
    query = strawberry.type(type("Query", (), {"parcel": strawberry.field(parcel)}))
    sdl = strawberry.Schema(query, config=StrawberryConfig(scalar_map=SCALARS)).as_str()
    assert sdl.count(f'@deprecated(reason: "{REASON}")') == 2
    assert "amount: Long!\n" in sdl
