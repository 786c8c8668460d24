"""GraphQL over HTTP: a thin handler of our own for POST, answers as JSON or as server-sent events.

Callers are verified before their document is read; so is introspection only for those who are known.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from typing import Any, Final

import msgspec
from graphql import GraphQLError
from litestar import Request, Response, post, websocket
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.response import Stream
from msgspec import Struct, field
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from adapters.access import authenticate
from adapters.graphql.asking import Asking
from adapters.graphql.errors import tell
from adapters.graphql.schema import schema
from adapters.graphql.sockets import AnySocket, converse
from application.errors import ApplicationError, Malformed
