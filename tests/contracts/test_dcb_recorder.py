"""The library's own suite on our store, unchanged, and its applications on a tenant's log."""

import threading
from collections.abc import Callable, Iterator
from typing import cast
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.application import DCBApplication
from eventsourcing.dcb.domain import EnduringObject
from eventsourcing.dcb.msgpack import Decision, InitialDecision, MessagePackMapper
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.domain import event
from eventsourcing.persistence import (
    DataError,
    InfrastructureFactoryError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.audit.log import verify
from adapters.dcb import recorder as module
from adapters.dcb.factory import TenantFactory
from adapters.dcb.mapping import ENCODED, to_bytes, to_text
from adapters.dcb.recorder import TenantRecorder
from adapters.embedded.servers import Urls
from domain.ids import TenantId

MANY = 2 * module.PAGE_EVENTS + 1
SOON_SECONDS = 5.0
THREADS = 8


def a_tenant() -> TenantId:
    return TenantId(str(uuid4()))


def counted(*tags: str, data: bytes = b"{}", type: str = "Counted") -> DCBEvent:  # noqa: A002 - the library's word.
    return DCBEvent(type=type, data=data, tags=list(tags))


def about(*tags: str, types: tuple[str, ...] = ()) -> DCBQuery:
    return DCBQuery(items=[DCBQueryItem(types=list(types), tags=list(tags))])


@pytest.fixture
def recorder(database: Urls) -> Iterator[TenantRecorder]:
    with TenantRecorder(database.database_url, a_tenant()) as opened:
        yield opened


class TestOurs(DCBRecorderTestCase):
    @pytest.fixture(autouse=True)
    def take(self, recorder: TenantRecorder) -> None:
        self.recorder = recorder

    def test_append_and_read(self) -> None:
        self._test_append_read(self.recorder)
        assert self.recorder.head() == 13

    def test_append_and_read_in_a_log_that_has_events(self) -> None:
        before = self.recorder.append([counted("old"), counted("older")])
        self._test_append_read(self.recorder, initial_position=before)
        assert self.recorder.head() == 15

    def test_append_and_subscribe(self) -> None:
        self._test_append_subscribe(self.recorder)
        assert self.recorder.head() == 2

    def test_append_and_subscribe_in_a_log_that_has_events(self) -> None:
        before = self.recorder.append([counted("old"), counted("older")])
        self._test_append_subscribe(self.recorder, initial_position=before)
        assert self.recorder.head() == 4


class TestTheLibrarysOwn(DCBRecorderTestCase):
    """The same cases in memory: should one fail here, the library changed and not we."""

    def test_append_and_read(self) -> None:
        self._test_append_read(recorder := InMemoryDCBRecorder())
        assert recorder.read().head == 13

    def test_append_and_subscribe(self) -> None:
        self._test_append_subscribe(recorder := InMemoryDCBRecorder())
        assert recorder.read().head == 2


def test_a_read_streams_in_pages_and_ends_at_the_head_it_began_with(
    recorder: TenantRecorder,
) -> None:
    recorder.append([counted("bolt", data=str(n).encode()) for n in range(MANY)])
    response = recorder.read(about("bolt"))
    recorder.append([counted("bolt")])
    seen = []
    for found in response:
        assert len(response._page) <= module.PAGE_EVENTS
        seen.append(found.position)
    assert seen == list(range(1, MANY + 1))
    assert response.head == MANY
    assert list(response) == []


def test_a_limit_spans_pages(recorder: TenantRecorder) -> None:
    recorder.append([counted("bolt") for _ in range(MANY)])
    response = recorder.read(after=1, limit=MANY - 2)
    assert [found.position for found in response] == list(range(2, MANY))
    assert response.head == MANY - 1
    assert recorder.read(after=MANY, limit=5).head is None


def test_who_appends_after_the_head_has_seen_all_there_was(recorder: TenantRecorder) -> None:
    recorder.append([counted("bolt")])
    response = recorder.read(about("bolt"))
    condition = DCBAppendCondition(about("bolt"), after=response.head)
    recorder.append([counted("nut")], condition)
    recorder.append([counted("bolt")])
    with pytest.raises(IntegrityError):
        recorder.append([counted("bolt")], condition)
    assert recorder.head() == 3


def test_of_many_threads_that_claim_a_name_one_gets_it(recorder: TenantRecorder) -> None:
    won: list[int] = []

    def claim() -> None:
        try:
            won.append(
                recorder.append([counted("name:ana")], DCBAppendCondition(about("name:ana")))
            )
        except IntegrityError:
            return

    threads = [threading.Thread(target=claim) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]


def test_another_tenant_sees_nothing(recorder: TenantRecorder, database: Urls) -> None:
    recorder.append([counted("bolt")])
    with TenantRecorder(database.database_url, a_tenant()) as other:
        assert (other.head(), other.read().head, list(other.read())) == (0, None, [])
        assert other.append([counted("bolt")], DCBAppendCondition()) == 1


@given(st.binary())
@example(b"\x00")
@example(b"\xff\xfe")
@example(ENCODED.encode())
@example(ENCODED.encode() + b"AAAA")
@example(b"\xed\xa0\x80")
def test_any_bytes_come_back_as_they_went_in(data: bytes) -> None:
    text = to_text(data)
    assert to_bytes(text) == data
    assert "\0" not in text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_is_kept_as_it_is(text: str) -> None:
    kept = to_text(text.encode())
    assert kept == text or text.startswith(ENCODED)


def test_hostile_data_and_tags_survive_the_log_and_its_hashes(
    recorder: TenantRecorder, database: Urls
) -> None:
    hostile = [b"", b"\x00\xff", b"base64:!", "ñ \x1f \\ \" ' {NULL}".encode(), b"{}\r\n\t"]
    tags = ["'; DROP TABLE event; --", "{a,b}", 'quo"te', "100%", "日本", "NULL"]
    recorder.append([counted(*tags, data=data) for data in hostile])
    for query in (None, *(about(tag) for tag in tags), about(*tags, types=("Counted",))):
        found = list(recorder.read(query))
        assert [each.event.data for each in found] == hostile
        assert {*found[0].event.tags} == {*tags}
    assert verify(database.database_url, recorder.tenant).ok


@pytest.mark.parametrize("name", ["", "a\x1fb", "a\nb", "a\x00", "\ud800", "x" * 201])
def test_a_name_that_breaks_lists_is_refused(recorder: TenantRecorder, name: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: recorder.append([counted(name)]),
        lambda: recorder.append([counted(type=name)]),
        lambda: recorder.append([counted()], DCBAppendCondition(about(name))),
        lambda: recorder.read(about(name)),
        lambda: recorder.read(about(types=(name,))),
    ]
    for ask in asks:
        with pytest.raises(DataError):
            ask()
    assert recorder.head() == 0


def test_no_event_is_nothing_to_append(recorder: TenantRecorder) -> None:
    with pytest.raises(ProgrammingError):
        recorder.append([])


def test_a_tag_given_twice_is_one_tag(recorder: TenantRecorder) -> None:
    recorder.append([counted("b", "a", "b")])
    (found,) = recorder.read(about("b", "b"))
    assert found.event.tags == ["a", "b"]


def test_a_subscription_hears_of_other_processes(recorder: TenantRecorder, database: Urls) -> None:
    received: list[int] = []
    done = threading.Event()

    def follow() -> None:
        received.extend(next(subscription).position for _ in range(3))
        done.set()

    with (
        TenantRecorder(database.database_url, recorder.tenant) as other,
        recorder.subscribe(about("bolt")) as subscription,
    ):
        thread = threading.Thread(target=follow)
        thread.start()
        other.append([counted("bolt"), counted("nut")])
        other.append([counted("bolt"), counted("bolt")])
        assert done.wait(SOON_SECONDS)
        thread.join()
    assert received == [1, 3, 4]


def test_closing_ends_a_subscription_that_waits(database: Urls) -> None:
    recorder = TenantRecorder(database.database_url, a_tenant())
    ended: list[bool] = []
    subscription = recorder.subscribe()
    thread = threading.Thread(target=lambda: ended.append(list(subscription) == []))
    thread.start()
    recorder.close()
    thread.join(SOON_SECONDS)
    assert ended == [True]
    recorder.close()
    with pytest.raises(ProgrammingError):
        recorder.head()


def test_a_database_that_is_away_is_an_operational_error() -> None:
    url = "postgresql://nobody@127.0.0.1:1/nowhere"
    with TenantRecorder(url, a_tenant()) as recorder, pytest.raises(OperationalError):
        recorder.append([counted("bolt")])


def test_a_closed_log_takes_nothing(recorder: TenantRecorder, database: Urls) -> None:
    recorder.append([counted("bolt")])
    with psycopg.connect(database.admin_database_url, autocommit=True) as admin:
        admin.execute(
            "UPDATE log_head SET closed_at = now() WHERE tenant_id = %s", (recorder.tenant,)
        )
    with pytest.raises(OperationalError):
        recorder.append([counted("bolt")])
    assert recorder.head() == 1


class Renamed(Decision):
    name: str


class Product(EnduringObject[Decision]):
    class Registered(InitialDecision):
        product_id: str
        name: str

    @event(Registered)
    def __init__(self, name: str) -> None:
        self.name = name

    @event(Renamed)
    def rename(self, name: str) -> None:
        self.name = name


def test_an_application_of_the_library_runs_on_a_tenants_log(database: Urls) -> None:
    tenant = a_tenant()
    env = {
        "PERSISTENCE_MODULE": "adapters.dcb.factory",
        "DATABASE_URL": database.database_url,
        "ASIENTO_TENANT": tenant,
        "MAPPER_TOPIC": f"{MessagePackMapper.__module__}:{MessagePackMapper.__name__}",
    }
    with DCBApplication(env) as app:
        bolt = Product(name="Bolt")
        app.repository.save(bolt)
        mine, theirs = (cast(Product, app.repository.get(bolt.id)) for _ in range(2))
        mine.rename("Better bolt")
        assert app.repository.save(mine) == 2
        theirs.rename("Other bolt")
        with pytest.raises(IntegrityError):
            app.repository.save(theirs)
    with DCBApplication(env) as again:
        found = again.repository.get(bolt.id)
    assert isinstance(found, Product)
    assert found.name == "Better bolt"
    assert verify(database.database_url, tenant).ok


@pytest.mark.parametrize(
    "env", [{}, {"DATABASE_URL": "postgresql://x"}, {"DATABASE_URL": "x", "ASIENTO_TENANT": "x"}]
)
def test_an_application_without_a_tenant_is_not_made(env: dict[str, str]) -> None:
    with pytest.raises(InfrastructureFactoryError):
        TenantFactory(env).dcb_recorder()
