"""The rules of API keys."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.access import (
    ApiKey,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyRotated,
    CreateApiKey,
    Giver,
    Issue,
    KeyDays,
    KeyId,
    KeySecretId,
    RevokeApiKey,
    RotateApiKey,
    ServiceAccountId,
)
from domain.ids import TenantId
from domain.kernel import Command
from tests.kernel import given, history_of

TENANT, OTHER = TenantId("t1"), TenantId("t2")
KEY, FIRST, NEXT = KeyId("k1"), KeySecretId("s1"), KeySecretId("s2")
READ = "invoicing.invoice.read"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
IN_90_DAYS, TOMORROW = NOON + timedelta(days=90), NOON + timedelta(days=1)
ROBOT = ServiceAccountId("robot")

MAY = frozenset({READ})
issue = Issue(tenant=TENANT, at=NOON, giver=Giver(held=MAY), opens=MAY)
by_another = replace(issue, tenant=OTHER)
create = CreateApiKey(
    key=KEY, secret_id=FIRST, secret="ab" * 32, name="till", permissions=(READ,), issue=issue
)
rotate = RotateApiKey(key=KEY, secret_id=NEXT, secret="cd" * 32, issue=issue)
revoke = RevokeApiKey(key=KEY, tenant=TENANT)

created = ApiKeyCreated(
    key=KEY,
    tenant=TENANT,
    name="till",
    secret_id=FIRST,
    secret_sha256="ab" * 32,
    permissions=(READ,),
    expires_at=IN_90_DAYS,
)
rotated = ApiKeyRotated(
    key=KEY,
    tenant=TENANT,
    secret_id=NEXT,
    secret_sha256="cd" * 32,
    former_until=TOMORROW,
    expires_at=IN_90_DAYS,
)
revoked = ApiKeyRevoked(key=KEY, tenant=TENANT)


def lasting(**days: int) -> Issue:
    return replace(issue, days=KeyDays(**days))


def test_a_program_is_let_in_for_as_long_as_is_usual() -> None:
    given().when(create).then(created)


def test_a_key_ends_when_its_maker_says() -> None:
    given().when(replace(create, expires_at=TOMORROW)).then(replace(created, expires_at=TOMORROW))


def test_a_key_holds_for_ever_by_choice() -> None:
    given().when(replace(create, never_expires=True)).then(replace(created, expires_at=None))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"expires_at": NOON}, "access.key_ended"),
        ({"expires_at": TOMORROW, "never_expires": True}, "access.key_end_unclear"),
        ({"never_expires": True, "issue": lasting(most=30)}, "access.key_too_long"),
        ({"expires_at": IN_90_DAYS, "issue": lasting(most=30)}, "access.key_too_long"),
        ({"expires_at": datetime.max.replace(tzinfo=UTC)}, "access.key_too_long"),
        ({"permissions": None}, "access.key_rights_unclear"),
        ({"service_account": ROBOT}, "access.key_rights_unclear"),
        ({"networks": ("192.0.2.1/24",)}, "access.bad_network"),
        ({"networks": ("the office",)}, "access.bad_network"),
        ({"issue": replace(issue, giver=Giver())}, "access.not_yours_to_give"),
        ({"issue": replace(issue, opens=None)}, "access.account_absent"),
    ],
    ids=[
        *(
            "of the past",
            "ends and never",
            "for ever too long",
            "too long",
            "without end",
            "may nothing",
        ),
        *("may both", "address of a network", "no network", "of what is lacked", "of no account"),
    ],
)
def test_a_key_is_refused(asked: dict[str, object], code: str) -> None:
    given().when(replace(create, **asked)).then_refused(code)


def test_where_less_is_allowed_than_is_usual_a_key_gets_the_most() -> None:
    ends = NOON + timedelta(days=30)
    given().when(replace(create, issue=lasting(most=30))).then(replace(created, expires_at=ends))


def test_networks_are_written_as_they_are_everywhere() -> None:
    asked = ("192.0.2.0/255.255.255.0", "2001:DB8::/32", "192.0.2.0/24", "10.1.2.3")
    known = ("192.0.2.0/24", "2001:db8::/32", "10.1.2.3/32")
    given().when(replace(create, networks=asked)).then(replace(created, networks=known))


def test_a_key_acts_for_a_service_account() -> None:
    asked = replace(create, permissions=None, service_account=ROBOT)
    given().when(asked).then(replace(created, permissions=(), service_account=ROBOT))


def test_an_id_stands_for_one_key_though_it_is_revoked() -> None:
    given(created).when(create).then_refused("access.key_taken")
    given(created, revoked).when(create).then_refused("access.key_taken")


def test_a_key_gets_a_new_secret_and_the_former_one_a_day() -> None:
    given(created).when(rotate).then(rotated)


def test_whoever_gets_a_new_secret_holds_what_the_key_may() -> None:
    lesser = replace(issue, giver=Giver(held=frozenset({"jobs.job.read"})))
    given(created).when(replace(rotate, issue=lesser)).then_refused("access.not_yours_to_give")
    of_nobody = replace(issue, opens=None)
    given(created).when(replace(rotate, issue=of_nobody)).then_refused("access.account_absent")


def test_a_revoked_key_gets_no_secret() -> None:
    given(created, revoked).when(rotate).then_refused("access.key_revoked")


def test_a_program_is_locked_out_once() -> None:
    given(created).when(revoke).then(revoked)
    given(created, revoked).when(revoke).then_nothing()


def test_an_operator_of_the_instance_revokes_any_key() -> None:
    given(created).when(RevokeApiKey(key=KEY)).then(revoked)


@pytest.mark.parametrize("history", [(), (created,), (created, revoked)], ids=len)
def test_the_key_of_another_company_is_none(history: tuple[ApiKeyCreated, ...]) -> None:
    given(*history).when(replace(rotate, issue=by_another)).then_refused("access.key_absent")
    given(*history).when(replace(revoke, tenant=OTHER)).then_refused("access.key_absent")


def test_a_former_secret_ends_when_it_would_have_anyway() -> None:
    short = replace(created, expires_at=NOON)
    former, current = ApiKey.at(key=KEY).fold([short, rotated]).secrets
    assert (former.until, current.until) == (NOON, IN_90_DAYS)


def test_the_oldest_of_many_secrets_falls_away() -> None:
    history = [created, *(replace(rotated, secret_id=KeySecretId(f"n{n}")) for n in range(4))]
    secrets = ApiKey.at(key=KEY).fold(history).secrets
    assert [each.secret_id for each in secrets] == ["n1", "n2", "n3"]


def test_a_revocation_from_before_says_not_whose_it_was() -> None:
    assert ApiKey.at(key=KEY).fold([created, ApiKeyRevoked(key=KEY)]).revoked


keys = st.sampled_from([KeyId("k1"), KeyId("k2")])
issues = st.sampled_from([issue, by_another])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        CreateApiKey,
        key=keys,
        secret_id=st.just(FIRST),
        secret=st.just("s"),
        name=st.just("n"),
        permissions=st.just((READ,)),
        issue=issues,
    ),
    st.builds(RotateApiKey, key=keys, secret_id=st.just(NEXT), secret=st.just("s"), issue=issues),
    st.builds(RevokeApiKey, key=keys, tenant=st.sampled_from([TENANT, OTHER])),
)


@settings(max_examples=40)
@for_all(st.lists(commands, max_size=12))
def test_a_key_is_made_once_stays_with_its_company_and_never_comes_back(
    sequence: list[Command],
) -> None:
    history = history_of(sequence)
    for key in ("k1", "k2"):
        of_key = [event for event in history if f"key:{key}" in event.tags]
        kinds = [type(event) for event in of_key]
        assert kinds.count(ApiKeyCreated) <= 1
        assert ApiKeyRevoked not in kinds[:-1]
        assert len({getattr(event, "tenant", None) for event in of_key}) <= 1
