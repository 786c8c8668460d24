"""Scopes: who may some things for some rows alone is told of others as if they weren't there."""

import msgspec
import pytest

from application.asks import Unchanged
from application.bus import Bus
from application.codec import stored_names
from application.errors import Changed, Forbidden
from application.kernel import Context
from domain.access import BranchClosed, BranchOpened, DefineRole, Giver, RoleDefined
from domain.access.roles import Permission, RoleId
from domain.access.scopes import SCOPES
from domain.ids import BranchId, JobId
from domain.invoicing import (
    DraftInvoice,
    InvoiceDrafted,
    InvoiceId,
    InvoiceIssued,
    InvoiceNumber,
    IssueInvoice,
    RecordInvoice,
)
from domain.jobs import CancelJob
from domain.kernel import Command, Refused
from tests.application.desk import Store, context
from tests.invoicing.examples import LINES, MAY_2, ONE, RETURNED, TWO, A, drafted
from tests.kernel import given

READ = "invoicing.invoice.read"
SELLER = RoleId("seller")
SOL, NORTE = BranchId("sol"), BranchId("norte")
EVERY = tuple(f"invoicing.invoice.{each}" for each in ("draft", "issue", "record"))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def bus(store: Store) -> Bus:
    return Bus(store, vault=store.vault)


def own(actor: str = "user:ana") -> Context:
    return context(*(f"{each}@own" for each in EVERY), actor=actor)


def of_branches(*branches: BranchId) -> Context:
    given = context(*(f"{each}@branch" for each in EVERY))
    return msgspec.structs.replace(given, branches=frozenset(branches))


def draft(invoice: InvoiceId = ONE, branch: BranchId | None = None) -> DraftInvoice:
    return DraftInvoice(invoice=invoice, lines=LINES, branch=branch)


def issue(invoice: InvoiceId = ONE) -> IssueInvoice:
    return IssueInvoice(invoice=invoice, series=A, issued_on=MAY_2)


@pytest.mark.parametrize("permission", [READ, f"{READ}@own", f"{READ}@branch"])
def test_a_permission_may_have_a_scope(permission: str) -> None:
    assert msgspec.convert(permission, Permission) == permission


@pytest.mark.parametrize("odd", ["@all", "@", "@own@own", "@OWN", "@own\n", " @own", "@owner"])
def test_there_are_no_other_scopes(odd: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(READ + odd, Permission)


@pytest.mark.parametrize(
    ("held", "gives"),
    [
        ({READ}, READ),
        ({READ}, f"{READ}@own"),
        ({READ}, f"{READ}@branch"),
        ({f"{READ}@own"}, f"{READ}@own"),
    ],
    ids=str,
)
def test_who_holds_a_permission_gives_it_for_all_rows_or_some(held: set[str], gives: str) -> None:
    giver = Giver(held=frozenset(held))
    define = DefineRole(role=SELLER, name="Seller", permissions=(gives,), giver=giver)
    given().when(define).then(RoleDefined(role=SELLER, name="Seller", permissions=(gives,)))


@pytest.mark.parametrize("gives", [READ, f"{READ}@branch"])
def test_who_holds_it_for_some_rows_gives_no_more(gives: str) -> None:
    giver = Giver(held=frozenset({f"{READ}@own"}))
    define = DefineRole(role=SELLER, name="Seller", permissions=(gives,), giver=giver)
    given().when(define).then_refused("access.not_yours_to_give")


def test_the_widest_of_several_scopes_holds() -> None:
    assert context(READ, f"{READ}@own").scopes(READ) is None
    assert context("*").scopes(READ) is None
    assert context(f"{READ}@own", f"{READ}@branch").scopes(READ) == frozenset(SCOPES)
    assert context("jobs.job.read").scopes(READ) == frozenset()


async def test_what_somebody_made_is_theirs(bus: Bus, store: Store) -> None:
    await bus.execute(draft(), own())
    await bus.execute(issue(), own())
    (made, numbered) = await store.history()
    assert isinstance(made, InvoiceDrafted)
    assert isinstance(numbered, InvoiceIssued)
    assert made.made_by == numbered.made_by == "user:ana"


async def test_it_stays_theirs_whoever_drafts_it_again(bus: Bus, store: Store) -> None:
    await bus.execute(draft(), own())
    again = DraftInvoice(invoice=ONE, lines=RETURNED)
    await bus.execute(again, context(*EVERY, actor="user:luis"))
    await bus.execute(issue(), own())
    assert len(await store.history()) == 3


@pytest.mark.parametrize("actor", ["job:1", "reaction:x", "cli:root", "system"])
async def test_what_no_person_and_no_key_made_is_nobodys(
    bus: Bus, store: Store, actor: str
) -> None:
    await bus.execute(draft(), context(actor=actor))
    (made,) = await store.history()
    assert isinstance(made, InvoiceDrafted)
    assert made.made_by is None


async def told(bus: Bus, command: Command, caller: Context) -> tuple[str, str, str]:
    with pytest.raises(Refused) as refused:
        await bus.execute(command, caller)
    return refused.value.code, refused.value.message, refused.value.hint


@pytest.mark.parametrize(
    "caller", [own("user:luis"), of_branches(NORTE), of_branches()], ids=["own", "branch", "none"]
)
async def test_what_is_others_is_told_of_as_if_it_were_not_there(
    store: Store, caller: Context
) -> None:
    nothing = await told(Bus(Store()), issue(), caller)
    bus = Bus(store, vault=store.vault)
    await store.happened(BranchOpened(branch=SOL, name="Sol"))
    await bus.execute(draft(branch=SOL), own())
    assert await told(bus, issue(), caller) == nothing
    assert len(await store.history()) == 2


async def test_what_was_made_before_this_was_noted_is_nobodys(bus: Bus, store: Store) -> None:
    await store.happened(drafted())
    assert (await told(bus, issue(), own()))[0] == "invoicing.not_a_draft"
    assert (await bus.execute(issue(), context(*EVERY))).events


async def test_an_id_that_is_others_is_taken(bus: Bus) -> None:
    await bus.execute(draft(), own())
    record = RecordInvoice(invoice=ONE, number=InvoiceNumber("1"), issued_on=MAY_2, lines=LINES)
    for command in (DraftInvoice(invoice=ONE, lines=RETURNED), record):
        assert (await told(bus, command, own("user:luis")))[0] == "access.id_taken"


@pytest.mark.parametrize("positions", [frozenset({1}), None], ids=["seen", "anywhere"])
async def test_a_condition_tells_nothing_of_what_is_others(
    bus: Bus, positions: frozenset[int] | None
) -> None:
    await bus.execute(draft(), own())
    types = stored_names((InvoiceDrafted, InvoiceIssued))
    messages = []
    for invoice in (ONE, TWO):
        seen = Unchanged(tag=f"invoice:{invoice}", types=types, positions=positions)
        with pytest.raises(Changed) as changed:
            await bus.execute(issue(invoice), own("user:luis"), condition=seen)
        messages.append((changed.value.message.replace(invoice, "…"), changed.value.position))
    assert messages[0] == messages[1]


async def test_of_several_together_each_is_judged_by_its_own_caller(bus: Bus) -> None:
    await bus.execute_many([draft(ONE), draft(TWO)], own())
    answers = await bus.execute_many([issue(ONE), issue(TWO)], own("user:luis"))
    assert all(isinstance(answer, Refused) for answer in answers)


async def test_what_is_made_in_a_branch_alone_names_it(bus: Bus, store: Store) -> None:
    opened = [BranchOpened(branch=each, name=each) for each in (SOL, NORTE)]
    await store.happened(*opened)
    for branch in (None, NORTE):
        assert (await told(bus, draft(branch=branch), of_branches(SOL)))[0] == (
            "access.not_your_branch"
        )
    await bus.execute(draft(branch=SOL), of_branches(SOL))
    assert (await bus.execute(issue(), of_branches(SOL, NORTE))).events


async def test_nothing_new_is_of_a_branch_that_is_not_there(bus: Bus, store: Store) -> None:
    await store.happened(BranchOpened(branch=SOL, name="Sol"), BranchClosed(branch=SOL))
    for branch in (SOL, NORTE):
        assert (await told(bus, draft(branch=branch), context()))[0] == "access.branch_absent"


async def test_a_scope_that_nothing_goes_by_is_not_enough(bus: Bus) -> None:
    caller = context("jobs.job.cancel@own")
    with pytest.raises(Forbidden, match=r"jobs\.job\.cancel@own is held"):
        await bus.execute(CancelJob(job=JobId("j")), caller)
