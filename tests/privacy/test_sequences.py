"""Whatever comes in whatever order: a name is a blank if its subject was forgotten later."""

from datetime import UTC, datetime
from typing import Final, TypeAlias

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from adapters.memory import FixedClock, MemoryEventStore, MemorySubjectKeys
from application.bus import Bus
from application.kernel import EVERYTHING, Context
from application.vault import Vault
from domain.ids import TenantId
from domain.invoicing import (
    Customer,
    CustomerCode,
    InvoiceId,
    InvoiceNumber,
    InvoiceRecorded,
    Number,
    RecordInvoice,
)
from domain.kernel import FORGOTTEN, Refused
from domain.privacy import ForgetSubject, SubjectForgotten
from tests.invoicing.examples import LINES, MAY_1

TENANT: Final = TenantId("t1")
CONTEXT: Final = Context(
    tenant=TENANT, actor="system", permissions=frozenset({EVERYTHING}), correlation_id="c"
)
Step: TypeAlias = tuple[str, int, str, int]
CODES = st.sampled_from(["C1", "C2"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "record", "forget", "read"]),
        st.integers(0, 5),  # Which invoice.
        CODES,
        st.integers(0, 2),  # In which process.
    ),
    max_size=25,
)


class Company:
    """One log, and three processes that know nothing of each other."""

    def __init__(self) -> None:
        self.store = MemoryEventStore(FixedClock(datetime(2026, 5, 2, tzinfo=UTC)))
        keys = MemorySubjectKeys(self.store)
        self.vault = Vault(keys)
        self.buses = [Bus(self.store, vault=Vault(keys)) for _ in range(3)]

    async def do(self, step: Step) -> None:
        what, number, code, process = step
        bus = self.buses[process]
        if what == "read":
            await bus.fold(TENANT, Number.at(number=str(number)))
            return
        record = RecordInvoice(
            invoice=InvoiceId(f"i{number}"),
            number=InvoiceNumber(str(number)),
            issued_on=MAY_1,
            lines=LINES,
            customer=Customer(code=CustomerCode(code), name=f"Name {number}"),
        )
        forget = ForgetSubject(kind="customer_code", value=code, reason="r")
        try:
            await bus.execute(record if what == "record" else forget, CONTEXT)
        except Refused as refusal:
            assert refusal.code in {"invoicing.number_taken", "privacy.subject_absent"}  # noqa: PT017


@settings(max_examples=150, deadline=None)
@for_all(STEPS)
async def test_a_name_is_a_blank_if_and_only_if_it_was_forgotten_later(steps: list[Step]) -> None:
    company = Company()
    for step in steps:
        await company.do(step)
    stored = [each async for each in company.store.read(TENANT)]
    assert "Name" not in str([each.data for each in stored])
    history = await company.vault.read(TENANT, stored)
    for place, event in enumerate(history):
        if isinstance(event, InvoiceRecorded):
            later = {e.value for e in history[place:] if isinstance(e, SubjectForgotten)}
            blank = event.customer_code in later
            assert event.customer_name == (FORGOTTEN if blank else f"Name {event.number}")
            for bus in company.buses:
                state = await bus.fold(TENANT, Number.at(number=event.number))
                assert state.holder == event
