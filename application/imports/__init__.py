"""Imports as the world may call them, and the jobs that their events ask for."""

from application.imports.ingest import ingest
from application.imports.promote import promote
from application.imports.rows import RowsGiven, keep_rows
from application.imports.validate import validate
from application.jobs import JobKind
from application.kernel import Exposed
from application.modules import Module
from domain.ids import BatchId
from domain.imports import (
    AbandonStep,
    FileReceived,
    FinishIngestion,
    FinishPromotion,
    FinishValidation,
    IngestRows,
    NoteHeader,
    NoteIngested,
    NotePromoted,
    NoteUnreadable,
    NoteValidated,
    OpenImportBatch,
    PromoteImportBatch,
    PromotionRequested,
    ValidateImportBatch,
    ValidationRequested,
)
from domain.kernel import Command
from domain.modules import ModuleName

MODULE = Module(
    name=ModuleName("imports"),
    title="Files of other systems become rows, and these the books.",
    needs=(ModuleName("invoicing"),),
)

WRITE = "imports.batch.write"
WORK = "imports.batch.work"

COMMANDS = (
    Exposed(command=OpenImportBatch, permission=WRITE, route="POST /imports/batches"),
    Exposed(
        command=IngestRows,
        permission=WRITE,
        route="POST /imports/batches/{batch}/ingest",
        input=RowsGiven,
        prepare=keep_rows,
    ),
    Exposed(
        command=ValidateImportBatch,
        permission=WRITE,
        route="POST /imports/batches/{batch}/validate",
    ),
    Exposed(
        command=PromoteImportBatch, permission=WRITE, route="POST /imports/batches/{batch}/promote"
    ),
    Exposed(command=NoteHeader, permission=WORK),
    Exposed(command=NoteIngested, permission=WORK),
    Exposed(command=FinishIngestion, permission=WORK),
    Exposed(command=NoteUnreadable, permission=WORK),
    Exposed(command=NoteValidated, permission=WORK),
    Exposed(command=FinishValidation, permission=WORK),
    Exposed(command=NotePromoted, permission=WORK),
    Exposed(command=FinishPromotion, permission=WORK),
    Exposed(command=AbandonStep, permission=WORK, always=True),
)


def _abandon(batch: str) -> Command:
    return AbandonStep(batch=BatchId(batch))


JOBS = tuple(
    JobKind(
        name=f"imports.{work.__name__}",
        wanted_by=event,
        subject="batch",
        work=work,
        abandoned=_abandon,
    )
    for event, work in (
        (FileReceived, ingest),
        (ValidationRequested, validate),
        (PromotionRequested, promote),
    )
)
