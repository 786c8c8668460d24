"""The books of a company: open, closed, removed, restored, open again."""

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.ids import TenantId
from domain.tenants import (
    SYSTEM_SLUG,
    CloseTenant,
    CreateTenant,
    NoteArchive,
    NoteRemoval,
    NoteRestoration,
    ReopenTenant,
    Slug,
    Tenant,
    TenantArchived,
    TenantClosed,
    TenantCreated,
    TenantEvent,
    TenantLocked,
    TenantRemoved,
    TenantReopened,
    TenantRestored,
    TenantUnlocked,
)
from tests.kernel import given, history_of

ACME = TenantId("00000000-0000-7000-8000-000000000001")
FILE, OTHER, HEAD = "a" * 64, "b" * 64, "c" * 64
created = TenantCreated(tenant=ACME, slug=Slug("acme"), name="Acme", country="ES")
closed = TenantClosed(tenant=ACME)
locked, unlocked = TenantLocked(tenant=ACME), TenantUnlocked(tenant=ACME)
archived = TenantArchived(tenant=ACME, file="acme.gz", sha256=FILE, events=7, head=HEAD)
removed = TenantRemoved(tenant=ACME, archive=FILE, events=7, head=HEAD)
restored = TenantRestored(tenant=ACME, archive=FILE, events=7, head=HEAD)
reopened = TenantReopened(tenant=ACME)

CLOSE, REOPEN = CloseTenant(tenant=ACME), ReopenTenant(tenant=ACME)
ARCHIVE = NoteArchive(tenant=ACME, file="acme.gz", sha256=FILE, events=7, head=HEAD)
REMOVE = NoteRemoval(tenant=ACME, archive=FILE, events=7, head=HEAD)
RESTORE = NoteRestoration(tenant=ACME, archive=FILE, events=7, head=HEAD)


def test_open_books_are_closed_archived_and_removed() -> None:
    given(created).when(CLOSE).then(closed, locked)
    given(created, closed).when(ARCHIVE).then(archived)
    given(created, closed, archived).when(REMOVE).then(removed)


def test_removed_books_are_restored_and_reopened() -> None:
    given(created, closed, archived, removed).when(RESTORE).then(restored)
    history = (created, closed, locked, archived, removed, restored)
    given(*history).when(REOPEN).then(reopened, unlocked)


def test_for_books_that_were_closed_by_an_older_version_nobody_is_let_in_from_now_on() -> None:
    given(created, closed).when(CLOSE).then(locked)
    given(created, closed).when(REOPEN).then(reopened)


def test_a_company_that_came_from_another_instance_is_restored() -> None:
    given(created).when(RESTORE).then(restored)


def test_an_archive_of_later_books_is_noted_again() -> None:
    history = (created, closed, archived, reopened, closed)
    later = NoteArchive(tenant=ACME, file="later.gz", sha256=OTHER, events=8, head=HEAD)
    given(*history).when(later).then(
        TenantArchived(tenant=ACME, file="later.gz", sha256=OTHER, events=8, head=HEAD)
    )


@pytest.mark.parametrize(
    ("history", "command"),
    [
        ((created, closed, locked), CLOSE),
        ((created, closed, archived), ARCHIVE),
        ((created, closed, archived, removed), REMOVE),
        ((created, closed, locked, archived, removed), CLOSE),
        ((created, closed, archived, removed, restored), RESTORE),
        ((created, closed, archived, reopened), RESTORE),
        ((created,), REOPEN),
    ],
)
def test_what_is_so_already_stays_quiet(
    history: tuple[TenantEvent, ...], command: CloseTenant
) -> None:
    given(*history).when(command).then()


@pytest.mark.parametrize("command", [ARCHIVE, REMOVE])
@pytest.mark.parametrize("history", [(), (created,), (created, closed, reopened)])
def test_only_closed_books_are_archived_and_removed(
    history: tuple[TenantEvent, ...], command: NoteArchive
) -> None:
    given(*history).when(command).then_refused("tenants.not_closed")


@pytest.mark.parametrize("command", [CLOSE, RESTORE, REOPEN])
def test_books_that_never_were_can_not_be_closed_or_reopened(command: CloseTenant) -> None:
    given().when(command).then_refused("tenants.no_books")


@pytest.mark.parametrize("history", [(created, closed), (created, closed, archived)])
def test_only_for_an_archive_that_was_noted_are_books_removed(
    history: tuple[TenantEvent, ...],
) -> None:
    other = NoteRemoval(tenant=ACME, archive=OTHER, events=7, head=HEAD)
    given(*history).when(other).then_refused("tenants.other_archive")


@pytest.mark.parametrize("command", [NoteRemoval, NoteRestoration])
def test_once_books_are_gone_no_other_file_stands_for_them(
    command: type[NoteRemoval] | type[NoteRestoration],
) -> None:
    other = command(tenant=ACME, archive=OTHER, events=7, head=HEAD)
    given(created, closed, archived, removed).when(other).then_refused("tenants.other_archive")


def test_an_archive_of_earlier_books_stands_for_later_ones_no_more() -> None:
    history = (created, closed, archived, reopened, closed)
    given(*history).when(REMOVE).then_refused("tenants.other_archive")


def test_removed_books_are_restored_before_they_are_reopened() -> None:
    given(created, closed, archived, removed).when(REOPEN).then_refused("tenants.no_books")


def test_the_short_name_of_the_instance_is_taken() -> None:
    command = CreateTenant(tenant=ACME, slug=SYSTEM_SLUG, name="System, S.A.", country="ES")
    given().when(command).then_refused("tenants.slug_taken")


@settings(max_examples=50)
@for_all(st.lists(st.sampled_from([CLOSE, ARCHIVE, REMOVE, RESTORE, REOPEN]), max_size=12))
def test_books_are_removed_only_while_they_are_closed(sequence: list[CloseTenant]) -> None:
    create = CreateTenant(tenant=ACME, slug=Slug("acme"), name="Acme", country="ES")
    history = history_of([create, *sequence])
    for place, event in enumerate(history):
        if isinstance(event, TenantRemoved):
            assert Tenant.at(tenant=ACME).fold(history[:place]).books == "closed"
