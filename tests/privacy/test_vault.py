"""What is personal is sealed on its way into the log, and opens in its own place only."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.memory import FixedClock, MemoryEventStore, MemorySubjectKeys
from application import codec, vault
from application.ports import Append, StoredEvent, SubjectKey
from application.vault import BLANK, SEALED, NoKeys, SealBroken, Vault
from domain.access import UserEnrolled
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import CustomerCode, InvoiceDrafted
from domain.kernel import (
    FORGOTTEN,
    Event,
    Key,
    Personal,
    Subject,
    key_fields,
    personal_fields,
    subject_fields,
)
from domain.privacy import SubjectForgotten
from tests.invoicing.examples import LINES, ONE, drafted

TENANT, OTHER = TenantId("t1"), TenantId("t2")
GOLDEN = Path(__file__).parents[1] / "access" / "golden" / "UserEnrolled.json"
TEXTS = st.one_of(
    st.text(),
    st.sampled_from([FORGOTTEN.encode().decode(), SEALED, f"{SEALED}0:AAAA", BLANK, "a" * 100_000]),
)


class Keys(MemorySubjectKeys):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.store = MemoryEventStore(FixedClock(datetime(2026, 5, 2, tzinfo=UTC)))
        self.asked = 0
        self.destroyed: set[str] = set()
        super().__init__(self.store)

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        self.asked += 1
        return [
            replace(key, key=None, destroyed=True) if key.subject in self.destroyed else key
            for key in await super().find(tenant, subjects, make=make)
        ]

    async def forget(self, code: str, tenant: TenantId = TENANT) -> int:
        event = SubjectForgotten(kind="customer_code", value=code, reason="r", generation=0)
        new = codec.encode(event, actor="x", correlation_id="", causation_id="")
        return await self.store.append(tenant, Append(events=(new,))) + 1


class OneKey:
    """The key that the golden event was sealed with."""

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        assert (tenant, make) == (SYSTEM_TENANT, False)
        return [
            SubjectKey(subject=subject, generation=0, key=bytes(range(32))) for subject in subjects
        ]

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        assert (tenant, subject.partition(":")[0]) == (SYSTEM_TENANT, "user")
        return 0


def of(name: str | None, code: str = "C7") -> InvoiceDrafted:
    return replace(drafted(), customer_code=CustomerCode(code), customer_name=name)


async def sealed(box: Vault, event: InvoiceDrafted, erased: int = 0) -> InvoiceDrafted:
    (found,) = await box.seal(TENANT, [event], erased=erased)
    assert isinstance(found, InvoiceDrafted)
    return found


async def test_what_is_personal_can_not_be_read_in_what_is_stored() -> None:
    found = await sealed(Vault(Keys()), drafted())
    stored = codec.encode(found, actor="x", correlation_id="", causation_id="")
    assert "Ana" not in stored.data
    assert "12345678Z" not in stored.data
    assert (found.customer_code, found.customer_country) == ("C7", "ES")


@settings(max_examples=200, deadline=None)
@for_all(TEXTS)
async def test_every_text_comes_back_as_it_was(text: str) -> None:
    box = Vault(Keys())
    found = await sealed(box, of(text))
    assert found.customer_name != text
    read = codec.decode_written(
        "InvoiceDrafted", codec.encode(found, actor="x", correlation_id="", causation_id="").data, 1
    )
    (opened,) = await box.open(TENANT, [read])
    assert opened == of(text)
    assert isinstance(opened, InvoiceDrafted)
    assert opened.customer_name is not FORGOTTEN


async def test_a_text_is_sealed_differently_each_time() -> None:
    box = Vault(Keys())
    assert (await sealed(box, drafted())) != (await sealed(box, drafted()))


async def test_what_was_written_before_there_were_seals_reads_as_it_is() -> None:
    assert await Vault(NoKeys()).open(TENANT, [drafted()]) == [drafted()]


async def test_nothing_is_asked_for_where_nothing_is_personal() -> None:
    plain = InvoiceDrafted(invoice=ONE, currency="EUR", lines=LINES)
    assert await Vault(NoKeys()).seal(TENANT, [plain]) == [plain]


async def test_keys_are_asked_for_once_and_together() -> None:
    keys = Keys()
    box = Vault(keys)
    events = [of("Ana", f"C{n}") for n in range(50)]
    found = await box.seal(TENANT, events, erased=0)
    assert keys.asked == 1
    assert await box.open(TENANT, list(found), erased=0) == events
    assert keys.asked == 1
    assert await Vault(keys).open(TENANT, list(found)) == events
    assert keys.asked == 2


async def test_what_is_kept_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "KEPT_MAX", 3)
    keys = Keys()
    box = Vault(keys)
    for number in range(5):
        await sealed(box, of("Ana", f"C{number}"))
    await sealed(box, of("Ana", "C4"))
    assert keys.asked == 5
    await sealed(box, of("Ana", "C0"))
    assert keys.asked == 6


async def test_who_is_forgotten_reads_as_the_blank_and_others_as_they_are() -> None:
    keys = Keys()
    box = Vault(keys)
    ana, eva = await sealed(box, of("Ana")), await sealed(box, of("Eva", "C8"))
    position = await keys.forget("C7")
    opened = await box.open(TENANT, [ana, eva], erased=position)
    assert [getattr(event, "customer_name") for event in opened] == [FORGOTTEN, "Eva"]  # noqa: B009
    assert getattr(opened[0], "customer_name") is FORGOTTEN  # noqa: B009 - of either type.


async def test_a_key_kept_from_before_a_forgetting_is_used_no_more() -> None:
    keys = Keys()
    box = Vault(keys)
    before = await sealed(box, of("Ana"))
    position = await keys.forget("C7")
    after = await sealed(box, of("Ana again"), erased=position)
    opened = await box.open(TENANT, [before, after], erased=position)
    assert [getattr(event, "customer_name") for event in opened] == [FORGOTTEN, "Ana again"]  # noqa: B009


async def test_the_blank_is_written_as_a_blank_and_needs_no_key() -> None:
    (written,) = await Vault(NoKeys()).seal(
        TENANT, [replace(of(FORGOTTEN), customer_tax_id=FORGOTTEN)]
    )
    assert isinstance(written, InvoiceDrafted)
    assert written.customer_name == BLANK
    (opened,) = await Vault(NoKeys()).open(TENANT, [written])
    assert isinstance(opened, InvoiceDrafted)
    assert opened.customer_name is FORGOTTEN


@pytest.mark.parametrize("moved", ["tenant", "subject", "field", "text", "type"])
async def test_a_sealed_text_opens_in_its_own_place_only(moved: str) -> None:
    keys = Keys()
    box = Vault(keys)
    event, another = await sealed(box, of("Ana")), await sealed(box, of("Eva", "C8"))
    await box.seal(OTHER, [of("Ana")])
    name = event.customer_name or ""
    changed = {
        "tenant": event,
        "subject": replace(another, customer_name=name),
        "field": replace(event, customer_tax_id=name),
        "text": replace(event, customer_name=name[:-8] + "AAAAAAA="),
        "type": event,
    }[moved]
    with pytest.raises(SealBroken) as broken:
        await box.open(OTHER if moved == "tenant" else TENANT, [_retyped(changed, moved)])
    assert broken.value.code == "privacy.seal_broken"
    assert "Ana" not in str(broken.value)


def _retyped(event: InvoiceDrafted, moved: str) -> Event:
    if moved != "type":
        return event
    data = json.loads(codec.encode(event, actor="", correlation_id="", causation_id="").data)
    rest = {"number": "1", "kind": "invoice", "issued_on": "2026-05-01"}
    return codec.decode_written("InvoiceRecorded", json.dumps(data | rest), 1)


@pytest.mark.parametrize("text", [f"7:{'A' * 40}", f"0:{'A' * 40}", f"999999999:{'A' * 40}"])
async def test_a_seal_that_nobody_made_is_an_error_and_no_blank(text: str) -> None:
    box = Vault(Keys())
    await sealed(box, of("Ana"))
    with pytest.raises(SealBroken):
        await box.open(TENANT, [of(f"{SEALED}{text}")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0:",
        "0:abc",
        "x:AAAA",
        "7:AAAA",
        "0:é",
        f"-1:{'A' * 40}",
        f"0:{'A' * 36}",
        f"0:{'A' * 39}",
        f"0:{'A' * 40}\n",
        f"{'1' * 5_000}:{'A' * 40}",
        f"٣:{'A' * 40}",
    ],
)
async def test_a_text_from_before_there_were_seals_that_begins_like_one_is_a_text(
    text: str,
) -> None:
    old = of(f"{SEALED}{text}")
    assert await Vault(NoKeys()).open(TENANT, [old]) == [old]


async def test_a_key_destroyed_though_nobody_was_forgotten_is_no_blank_and_seals_nothing() -> None:
    keys = Keys()
    ana, eva = await sealed(Vault(keys), of("Ana")), await sealed(Vault(keys), of("Eva", "C8"))
    keys.destroyed.add("customer_code:C7")
    box = Vault(keys)
    opener = await box.opener(TENANT, [ana, eva], erased=0)
    with pytest.raises(SealBroken, match="customer_code:C7 is destroyed") as broken:
        opener(ana)
    assert broken.value.code == "privacy.key_destroyed"
    assert opener(eva) == of("Eva", "C8")
    with pytest.raises(SealBroken):
        await sealed(box, of("Ana"))
    keys.destroyed.clear()
    assert await box.open(TENANT, [ana], erased=0) == [of("Ana")]


async def test_personal_data_of_nobody_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="does not say whose"):
        await Vault(Keys()).seal(TENANT, [replace(drafted(), customer_code=None)])


async def test_a_bus_without_keys_writes_nothing_personal() -> None:
    with pytest.raises(LookupError):
        await Vault(NoKeys()).seal(TENANT, [drafted()])


async def test_the_seal_of_version_1_opens_for_ever() -> None:
    golden = json.loads(GOLDEN.read_bytes())
    event = codec.decode_written("UserEnrolled", json.dumps(golden["data"]), 1)
    (opened,) = await Vault(OneKey()).open(SYSTEM_TENANT, [event])
    assert isinstance(opened, UserEnrolled)
    assert opened.email == "ana@ferreteria-sol.example"


async def test_events_are_revealed_with_nothing_else_changed() -> None:
    box = Vault(Keys())
    found = await sealed(box, drafted())
    data = json.loads(codec.encode(found, actor="", correlation_id="", causation_id="").data)
    odd = StoredEvent(
        position=7,
        type="InvoiceDrafted",
        tags=("invoice:one",),
        data=json.dumps(data | {"of_a_newer_version": [1]}),
        recorded_at=datetime(2026, 5, 2, tzinfo=UTC),
        actor="x",
        correlation_id="",
        causation_id="",
    )
    unknown = replace(odd, position=8, type="NeverHeardOf", data='{"a":"asiento:sealed:1:"}')
    revealed, same = await box.reveal(TENANT, [odd, unknown])
    shown = json.loads(revealed.data)
    assert (shown["customer_name"], shown["of_a_newer_version"]) == ("Ana Núñez", [1])
    assert replace(revealed, data=odd.data) == odd
    assert same == unknown


async def test_a_digest_is_equal_for_equal_texts_and_tells_nothing_without_its_key() -> None:
    keys = Keys()
    first, second = Vault(keys), Vault(keys)
    assert await first.digest("ana@x.example") == await second.digest("ana@x.example")
    assert await first.digest("ana@x.example") != await first.digest("eva@x.example")
    assert await Vault(Keys()).digest("ana@x.example") != await first.digest("ana@x.example")


def test_a_key_is_not_told_by_its_representation() -> None:
    assert "secret" not in repr(SubjectKey(subject="a:b", generation=0, key=b"secret"))


def test_every_event_with_personal_data_says_whose_it_is_in_a_tag() -> None:
    """And each of these fields is a text, since a sealed one is."""
    for event in codec.event_types().values():
        whose = subject_fields(event)
        assert len(whose) == bool(personal_fields(event)), event
        assert set(whose) <= set(key_fields(event))


class TwoSubjects(Event):
    """What the rule above is there to find."""

    one: Key[Subject[str]]
    two: Key[Subject[str]]
    name: Personal[str]


def test_an_event_with_two_subjects_would_be_found() -> None:
    assert len(subject_fields(TwoSubjects)) == 2
