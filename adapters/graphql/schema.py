"""The schema: queries of the rows, mutations of the commands, and two subscriptions."""

from functools import cache

import strawberry
from graphql import GraphQLError
from strawberry.extensions import (
    AddValidationRules,
    MaxTokensLimiter,
    ParserCache,
    SchemaExtension,
    ValidationCache,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.field import StrawberryField

from adapters.graphql.commanding import commanding_fields
from adapters.graphql.errors import tell
from adapters.graphql.extra import extra_fields
from adapters.graphql.history import history_fields
from adapters.graphql.limits import DOCUMENTS_KEPT, TOKENS_MAX, SizeRule
from adapters.graphql.projections import projection_fields
from adapters.graphql.reading import reading_fields
from adapters.graphql.scalars import SCALARS
from adapters.graphql.shapes import made_class
from adapters.graphql.watching import watching_fields
from adapters.graphql.webhooks import webhook_fields


class Schema(strawberry.Schema):
    """Errors leave it with a code and a hint, whatever carries them."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002 - the base's.
    ) -> None:
        tell(errors)


@cache
def schema() -> Schema:
    """Derive the schema, once."""
    return Schema(
        query=_root(
            "Query",
            reading_fields()
            | extra_fields()
            | history_fields()
            | projection_fields()
            | webhook_fields(),
        ),
        mutation=_root("Mutation", commanding_fields()),
        subscription=_root("Subscription", watching_fields()),
        extensions=[_tokens, _rules, _parser_cache, _validation_cache],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def _root(name: str, fields: dict[str, StrawberryField]) -> type:
    made: type = strawberry.type(made_class(name, {}, fields))
    return made


def _tokens() -> SchemaExtension:
    return MaxTokensLimiter(TOKENS_MAX)


def _rules() -> SchemaExtension:
    return AddValidationRules([SizeRule])


def _parser_cache() -> SchemaExtension:
    return ParserCache(DOCUMENTS_KEPT)


def _validation_cache() -> SchemaExtension:
    return ValidationCache(DOCUMENTS_KEPT)
