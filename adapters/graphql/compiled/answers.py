"""Answers to queries that are compiled, kept by document and by request.

What was understood of a request is kept for the next one that is the same to the byte, whoever
sends it: a document that was valid, its plan, its statements.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_variable_values
from msgspec import Struct, field
from psycopg import DataError

from adapters.graphql.asked import Asked
from adapters.graphql.asking import Asking
from adapters.graphql.compiled.assembling import connections, object_maker
from adapters.graphql.compiled.commands import Commanding, plan_command
from adapters.graphql.compiled.nested import object_type
from adapters.graphql.compiled.plans import Rows, plan_objects, plan_page
from adapters.graphql.compiled.requests import Ready, Root, anybody, make_ready
from adapters.graphql.compiled.selections import (
    Document,
    Selected,
    Uncompilable,
    deciding_variables,
)
from adapters.graphql.compiled.statements import Model, tables_needed
from adapters.graphql.documents import NotValid, core_schema, guards_of, read_document
from adapters.graphql.queries.rows import row_types
from adapters.graphql.shapes import singular, snake
from adapters.postgres.at_once import ask_at_once
from adapters.postgres.models.versions import serving_table
from adapters.waiting import wait_until
from application.errors import ApplicationError
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused

QUERY: Final = "Query"
PLANS_MAX: Final = 500
REQUESTS_MAX: Final = 1_000
REQUEST_BYTES_MAX: Final = 20_000
"""A request that is larger is understood anew each time."""

RIGHTS_MAX: Final = 20
"""Callers of so many different rights have a request kept for them."""

K = TypeVar("K")
T = TypeVar("T")


class Plan(Struct, eq=False, frozen=True):
    """What a query reads: its fields of Query, and the struct of the answer's data."""

    roots: Sequence[Root]
    data: type[Struct]
    models: frozenset[Model]


class Understood(Struct, eq=False, frozen=True):
    """A request that can be answered: its plan, the variables, and what is ready for whom.

    Attributes:
        guards: The permissions without which something of what is asked for is left out.

    """

    plan: Plan
    variables: VariableValues
    guards: frozenset[str]
    ready: dict[tuple[object, ...], Sequence[Ready]] = field(default_factory=dict)


class Instructed(Struct, eq=False, frozen=True):
    """A command that can be run, and what its input is."""

    commanding: Commanding
    variables: VariableValues

    async def answer(self, asking: Asking) -> bytes | None:
        try:
            return await self.commanding.answer(asking, self.variables)
        except GraphQLError:
            return None  # An argument is wrong, so that nothing was done.


async def answer_compiled(asking: Asking, asked: Asked, request: bytes) -> bytes | None:
    """Return the data that answers a request, as JSON; None: it is to be executed.

    *request* is what was asked to the byte; the same again is answered sooner. What a field
    failed with is left in *asking*, so that it is not tried again.
    """
    return await _compiler().answer(asking, asked, request)


@cache
def _compiler() -> "Compiler":
    return Compiler(core_schema())


class Compiler:
    """Answers what it can with compiled queries, and says None to the rest."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        # With the document that their keys name by its identity, which must not become another's.
        self._plans: OrderedDict[object, tuple[DocumentNode, Plan | Commanding | None]]
        self._plans = OrderedDict()
        self._understood: OrderedDict[bytes, Understood | None] = OrderedDict()

    async def answer(self, asking: Asking, asked: Asked, request: bytes) -> bytes | None:
        """Answer a request, as ``answer_compiled`` says."""
        if asking.context.tenant == SYSTEM_TENANT:
            return None  # Who sees all tenants is rare.
        if request in self._understood:
            understood = self._understood[request]
        else:
            found = self._understand(asked)
            if isinstance(found, Instructed):
                return await found.answer(asking)  # Commands are each their own.
            understood = found
            if len(request) <= REQUEST_BYTES_MAX:
                _keep(self._understood, request, understood, REQUESTS_MAX)
        if understood is None or not all(map(asking.context.may, understood.guards)):
            return None
        try:
            ready = await _make_ready(asking, understood)
        except (Uncompilable, ApplicationError, Refused, GraphQLError):
            return None
        return await _answer(asking, understood.plan, ready)

    def _understand(self, asked: Asked) -> "Understood | Instructed | None":
        try:
            document = read_document(asked.query)
        except NotValid:
            return None
        operation = get_operation_ast(document, asked.operation_name)
        if operation is None:
            return None
        given = asked.variables or {}
        plan = self._plan(document, operation, given)
        values = get_variable_values(self._schema, operation.variable_definitions or (), given)
        if plan is None or not isinstance(values, VariableValues):
            return None
        if isinstance(plan, Commanding):
            return Instructed(plan, values)
        return Understood(plan, values, frozenset(guards_of(asked.query).values()))

    def _plan(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],  # Any: JSON.
    ) -> Plan | Commanding | None:
        deciding = deciding_variables(document)
        flags = {name: variables.get(name) for name in sorted(deciding)}
        if not all(isinstance(each, bool) for each in flags.values()):
            return None  # One has its default, or is wrong.
        name = operation.name.value if operation.name else None
        key = (id(document), name, *flags.values())
        if key not in self._plans:
            made = _planned(Document(self._schema, document, operation, flags))
            _keep(self._plans, key, (document, made), PLANS_MAX)
        return self._plans[key][1]


async def _make_ready(asking: Asking, understood: Understood) -> Sequence[Ready]:
    """Write the statements of a request, unless that was done for callers of the same rights."""
    context, pool, plan = asking.context, asking.runtime.read_pool, understood.plan
    tables = {model.name: await serving_table(pool, model) for model in plan.models}
    key = (context.permissions, *tables.values())
    ready = understood.ready.get(key)
    if ready is None:
        marked = anybody(context)
        ready = [make_ready(root, understood.variables, marked, tables) for root in plan.roots]
        if len(understood.ready) >= RIGHTS_MAX:
            understood.ready.clear()
        understood.ready[key] = ready
    return ready


async def _answer(asking: Asking, plan: Plan, ready: Sequence[Ready]) -> bytes | None:
    caller, pool = asking.context, asking.runtime.read_pool
    for each in ready:
        if each.at_least is not None:
            try:
                await wait_until(asking.runtime, each.root.model, caller, each.at_least)
            except ApplicationError as error:
                asking.known[each.root.key] = error
                return None
    queries = [statement.of(caller) for each in ready for statement in each.statements]
    try:
        results = await ask_at_once(pool, queries)
    except DataError:
        return None  # A value that its column can't have; which one it is, each field says.
    except ApplicationError as error:  # It would only fail again.
        asking.known |= {each.root.key: error for each in ready}
        return None
    parts, at = [], 0
    for each in ready:
        parts.append(each.answer(results[at : at + len(each.statements)]))
        at += len(each.statements)
    return msgspec.json.encode(plan.data(*parts))


def _planned(document: Document) -> Plan | Commanding | None:
    try:
        match document.operation.operation:
            case OperationType.QUERY:
                return _plan_of(document)
            case OperationType.MUTATION:
                return plan_command(document)
    except Uncompilable:
        pass
    return None


def _plan_of(document: Document) -> Plan:
    fields = document.fields(QUERY, [document.operation.selection_set])
    roots = [_root(each, document) for each in fields]
    for root in roots:
        root.rows.lay_out()
    models = frozenset[Model]().union(*[tables_needed(root.rows) for root in roots])
    return Plan(roots, object_type([root.key for root in roots]), models)


def _root(selected: Selected, document: Document) -> Root:
    name = snake(selected.name)
    definition = document.definition(QUERY, selected.name)
    for model in row_types():
        if name == model.name:
            page = plan_page(model, QUERY, selected, document)
            connect = connections(page, document)
            return Root(selected.key, selected.node, definition, model, page, connect, None, None)
        if name == snake(singular(model)):
            rows = Rows(model=model, nested=False)
            rows.column(model.key)
            objects = plan_objects(rows, selected, document)
            make = object_maker(objects, document)
            return Root(selected.key, selected.node, definition, model, None, None, objects, make)
    raise Uncompilable(selected.name)


def _keep(kept: OrderedDict[K, T], key: K, value: T, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
