"""The schema: queries of the rows, mutations of the commands, and two subscriptions."""

from collections.abc import Iterator
from functools import cache
from typing import Final

import strawberry
from graphql import GraphQLError, parse
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.field import StrawberryField

from adapters.graphql.commands.commanding import commanding_fields
from adapters.graphql.commands.import_files import import_file_fields
from adapters.graphql.commands.uploads import Upload, upload_scalar
from adapters.graphql.errors import tell
from adapters.graphql.limits.documents import Documents
from adapters.graphql.queries.history import history_fields
from adapters.graphql.queries.import_rows import extra_fields
from adapters.graphql.queries.keys import key_fields
from adapters.graphql.queries.modules import module_fields, template_fields
from adapters.graphql.queries.nodes import node_fields
from adapters.graphql.queries.projections import projection_fields
from adapters.graphql.queries.reading import reading_fields
from adapters.graphql.queries.security import security_fields
from adapters.graphql.queries.webhooks import webhook_fields
from adapters.graphql.scalars import SCALARS
from adapters.graphql.shapes import made_class
from adapters.graphql.subscriptions.watching import watching_fields

UNREADABLE: Final = parse("{ __typename }")
"""Stands for a document that is not run anyway, and whose errors are told instead."""


class Schema(strawberry.Schema):
    """Errors leave it with a code and a hint, whatever carries them."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002 - the base's.
    ) -> None:
        tell(errors)


class KnownDocument(SchemaExtension):
    """Gives the library what is known of a document, so that it neither parses nor validates."""

    def on_parse(self) -> Iterator[None]:
        known = documents().get(self.execution_context.query or "")
        self.execution_context.graphql_document = known.node or UNREADABLE
        self.execution_context.pre_execution_errors = list(known.errors)
        yield


@cache
def schema() -> Schema:
    """Derive the schema, once."""
    return Schema(
        query=_root(
            "Query",
            reading_fields()
            | node_fields()
            | extra_fields()
            | history_fields()
            | security_fields()
            | projection_fields()
            | webhook_fields()
            | key_fields()
            | module_fields(),
        ),
        mutation=_root("Mutation", commanding_fields() | import_file_fields() | template_fields()),
        subscription=_root("Subscription", watching_fields()),
        extensions=[KnownDocument],
        config=StrawberryConfig(scalar_map=SCALARS | {Upload: upload_scalar()}),
    )


@cache
def documents() -> Documents:
    """Return the documents that the schema knows, of all who asked in this process."""
    return Documents(schema()._schema)  # noqa: SLF001 - the library's own modules do so, too.


def _root(name: str, fields: dict[str, StrawberryField]) -> type:
    made: type = strawberry.type(made_class(name, {}, fields))
    return made
