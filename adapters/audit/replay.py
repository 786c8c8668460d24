"""Fold an export into read models of its own, in a schema that nothing else knows.

It is the projections' own code on the file's own events: no log of ours is asked, and none need
be there. All is one transaction, so that a schema that is there is a whole one.
"""

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psycopg
from msgspec import Struct
from msgspec.structs import replace
from psycopg import AsyncConnection, sql

from adapters.audit.archive import proved
from adapters.audit.chain import Progress, silent
from adapters.audit.form import KeyLine
from adapters.audit.reading import Checked, Log, open_log
from adapters.audit.recipe import Record
from adapters.postgres.connections import Connection, prepare_adapters, unavailable
from adapters.postgres.models.rows import Table, table_of
from adapters.postgres.models.tables import define_table
from adapters.postgres.projecting.folding import fold_events
from application import codec
from application.errors import Conflict, Forbidden, Malformed
from application.ports import SubjectKey
from application.vault import Opener, SealBroken, Vault, seal_of
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Event, personal_fields, subject_of
from projections.kernel import events_of, read_models

BATCH_EVENTS: Final = 1_000
SCHEMA: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
OURS: Final = frozenset({"public", "information_schema"})
KEY_BYTES: Final = 32
LABEL: Final = "[sealed]"
"""What a personal text reads as where the file does not hold its key."""


class Replayed(Struct, frozen=True, kw_only=True):
    """What came of a replay: the rows of each table, and what could not be folded."""

    schema: str
    tenant: str
    events: int
    tables: dict[str, int]
    unknown: dict[str, int]  # How many events of each type are not known here.
    unreadable: dict[str, int]  # How many hold data that does not fit their type.
    unopened: dict[str, int]  # How many hold a text that the key in the file does not open.
    failed: dict[str, str]  # Why a table holds the rows up to an event only.


async def replay(
    admin_url: str, path: Path, schema: str | None = None, on_progress: Progress = silent
) -> Replayed:
    """Verify the file at *path*, then fold its events into tables in *schema*.

    Raises:
        Malformed: It is no export, or the name can't be that of a schema.
        Conflict: The file is not what was exported, or the schema is there.
        Forbidden: The login may make no schema.
        Unavailable: PostgreSQL does not answer.

    """
    archive = proved(path, on_progress)
    name = _checked(schema or _usual_name(archive))
    try:
        async with await AsyncConnection.connect(admin_url, autocommit=True) as connection:
            prepare_adapters(connection)
            async with connection.transaction():
                await _make_schema(connection, name)
                stage = _Stage(connection, archive)
                await stage.make_tables()
                with open_log(path) as file:
                    records = Log(file).records()
                    while batch := list(islice(records, BATCH_EVENTS)):
                        await stage.fold(batch)
                        on_progress(batch[-1].position, archive.verified.events)
                tables = await stage.count()
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    return Replayed(
        schema=name,
        tenant=archive.header.tenant,
        events=archive.verified.events,
        tables=tables,
        unknown=dict(stage.unknown),
        unreadable=dict(stage.unreadable),
        unopened=dict(stage.unopened),
        failed=stage.failed,
    )


class _Stage:
    """The tables of a replay, as they fill."""

    def __init__(self, connection: Connection, archive: Checked) -> None:
        self._connection = connection
        self._tenant = TenantId(archive.header.tenant)
        self._keys = FileKeys(archive.keys)
        self._vault = Vault(self._keys)
        system = self._tenant == SYSTEM_TENANT
        models = [model for model in read_models().values() if model.system == system]
        self._tables = {model.name: table_of(model, model.name) for model in models}
        self.unknown: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.unopened: Counter[str] = Counter()
        self.failed: dict[str, str] = {}

    async def make_tables(self) -> None:
        for name, table in self._tables.items():
            await self._connection.execute(define_table(table.model, name))

    async def fold(self, records: Sequence[Record]) -> None:
        written = list(self._decoded(records))
        positions = [at for at, _ in written]
        events = [self._keys.labelled(event) for _, event in written]
        opener = await self._vault.opener(self._tenant, events)
        opened = list(self._opened(opener, zip(positions, events, strict=True)))
        for name, table in self._tables.items():
            if name not in self.failed:
                await self._fold_table(name, table, opened)

    async def count(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name in self._tables:
            statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
            row = await (await self._connection.execute(statement)).fetchone()
            counts[name] = row[0] if row else 0
        return counts

    def _decoded(self, records: Iterable[Record]) -> Iterable[tuple[int, Event]]:
        for record in records:
            fields = record.fields()
            kind = fields.type.decode()
            try:
                yield record.position, codec.decode_written(kind, fields.data, record.position)
            except (codec.UnknownEvent, RecursionError):
                known = kind in codec.event_types()
                (self.unreadable if known else self.unknown)[kind] += 1

    def _opened(
        self, opener: Opener, events: Iterable[tuple[int, Event]]
    ) -> Iterator[tuple[int, Event]]:
        for at, event in events:
            try:
                yield at, opener(event)
            except SealBroken:
                self.unopened[type(event).__name__] += 1

    async def _fold_table(
        self, name: str, table: Table, events: Sequence[tuple[int, Event]]
    ) -> None:
        kinds = events_of(table.model)
        mine = [(at, event) for at, event in events if isinstance(event, kinds)]
        try:
            async with self._connection.transaction():
                failure = await fold_events(self._connection, table, self._tenant, mine)
        except psycopg.DataError as error:
            self.failed[name] = f"After event {events[0][0] - 1}: {type(error).__name__}"
        else:
            if failure is not None:
                self.failed[name] = str(failure)


class FileKeys:
    """The open keys of a file. Implements ``application.ports.SubjectKeys``."""

    def __init__(self, lines: Iterable[KeyLine]) -> None:
        self._keys: dict[str, list[SubjectKey]] = {}
        for line in lines:
            # What is wrapped can't be opened here; what is gone is gone, wrapped or not.
            if line.master is None or line.key is None:
                key = _open_key(line)
                kept = SubjectKey(subject=line.subject, generation=line.generation, key=key)
                self._keys.setdefault(line.subject, []).append(kept)

    async def find(
        self,
        tenant: TenantId,  # noqa: ARG002 - the file is of one tenant.
        subjects: Collection[str],
        *,
        make: bool = False,  # noqa: ARG002 - nothing is sealed here.
    ) -> list[SubjectKey]:
        return [key for subject in subjects for key in self._keys.get(subject, ())]

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        return max((key.generation for key in await self.find(tenant, [subject])), default=None)

    def labelled(self, event: Event) -> Event:
        """Say of each sealed text whose key is not here that it is sealed."""
        kept = {key.generation for key in self._keys.get(subject_of(event) or "", ())}
        texts: dict[str, Any] = {  # Any: replace takes fields of any type.
            name: LABEL
            for name in personal_fields(type(event))
            if (value := getattr(event, name)) is not None
            and (seal := seal_of(value)) is not None
            and seal.generation not in kept
        }
        return replace(event, **texts) if texts else event


def _open_key(line: KeyLine) -> bytes | None:
    if line.key is None:
        return None
    try:
        key = b64decode(line.key, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Conflict(
            "audit.bad_key",
            f"Key {line.generation} of {line.subject!r} in the file is not one of"
            f" {KEY_BYTES} bytes in base64.",
            hint="Have it exported anew, with --open-personal or without it.",
        )
    return key


async def _make_schema(connection: Connection, name: str) -> None:
    schema = sql.Identifier(name)
    try:
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    except psycopg.errors.InsufficientPrivilege:
        raise Forbidden(
            "audit.no_right",
            "This login may not make a schema in this database.",
            hint="Set DATABASE_ADMIN_URL to a login that may, such as the one that migrates.",
        ) from None
    except psycopg.errors.DuplicateSchema:
        raise Conflict(
            "audit.schema_exists",
            f"There is a schema {name}.",
            hint=f"Name another with --into, or drop it: DROP SCHEMA {name} CASCADE.",
        ) from None
    await connection.execute(sql.SQL("SET LOCAL search_path = {}").format(schema))


def _usual_name(archive: Checked) -> str:
    slug = re.sub("[^a-z0-9]", "_", archive.header.slug.lower())[:40]
    return f"replay_{slug}_{archive.verified.head[:8]}"


def _checked(name: str) -> str:
    if not SCHEMA.fullmatch(name) or name in OURS or name.startswith("pg_"):
        raise Malformed(
            "audit.bad_schema",
            f"{name[:63]!r} can't be the schema of a replay.",
            hint="Use small letters, digits and _, up to 63, such as `replay_acme`.",
        )
    return name
