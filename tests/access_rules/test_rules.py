"""The rules of access."""

from datetime import UTC, datetime

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.access import (
    ApiKey,
    ApiKeyCreated,
    ApiKeyRevoked,
    CreateApiKey,
    Email,
    EmailClaim,
    EmailDigest,
    KeyId,
    RegisterUser,
    RevokeApiKey,
    UserEnrolled,
    UserId,
    UserRegistered,
)
from domain.ids import TenantId
from domain.kernel import Command
from tests.kernel import given, history_of

TENANT, KEY, ANA = TenantId("t1"), KeyId("k1"), Email("ana@example.org")
ARGON2ID = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
PERMISSIONS = ("invoicing.invoice.read",)
YEAR_END = datetime(2026, 12, 31, tzinfo=UTC)


def digest_of(email: Email) -> EmailDigest:
    return EmailDigest(email[::-1])


registered = UserRegistered(
    user=UserId("u1"), email=ANA, password_hash=ARGON2ID, tenant=TENANT, permissions=PERMISSIONS
)
enrolled = UserEnrolled(
    user=UserId("u1"),
    email=ANA,
    email_digest=digest_of(ANA),
    password_hash=ARGON2ID,
    tenant=TENANT,
    permissions=PERMISSIONS,
)
created = ApiKeyCreated(
    key=KEY,
    tenant=TENANT,
    name="console",
    secret_sha256="ab" * 32,
    permissions=PERMISSIONS,
    expires_at=YEAR_END,
)
revoked = ApiKeyRevoked(key=KEY)
create = CreateApiKey(
    key=KEY,
    tenant=TENANT,
    name="console",
    secret_sha256="ab" * 32,
    permissions=PERMISSIONS,
    expires_at=YEAR_END,
)


def register(user: str, email: Email = ANA) -> RegisterUser:
    return RegisterUser(
        user=UserId(user),
        email=email,
        email_digest=digest_of(email),
        password_hash=ARGON2ID,
        tenant=TENANT,
        permissions=PERMISSIONS,
    )


def test_a_person_is_let_in() -> None:
    given().when(register("u1")).then(enrolled)


def test_an_address_has_one_account() -> None:
    given(enrolled).when(register("u2")).then_refused("access.email_taken")


def test_an_address_that_was_registered_in_clear_has_its_account() -> None:
    given(registered).when(register("u2")).then_refused("access.email_taken")


def test_a_program_is_let_in() -> None:
    given().when(create).then(created)


def test_an_id_stands_for_one_key() -> None:
    given(created).when(create).then_refused("access.key_taken")


def test_a_revoked_key_stays_taken() -> None:
    given(created, revoked).when(create).then_refused("access.key_taken")


def test_a_program_is_locked_out() -> None:
    given(created).when(RevokeApiKey(key=KEY)).then(revoked)


def test_locking_out_again_changes_nothing() -> None:
    given(created, revoked).when(RevokeApiKey(key=KEY)).then_nothing()


def test_there_must_be_a_key_to_revoke() -> None:
    given().when(RevokeApiKey(key=KEY)).then_refused("access.key_absent")


def test_what_is_known_of_a_key_and_of_an_address_is_little() -> None:
    assert ApiKey.at(key=KEY).fold([created, revoked]) == ApiKey(known=True, revoked=True)
    assert EmailClaim.at(email=ANA).fold([registered]) == EmailClaim(taken=True)
    assert EmailClaim.at(email_digest=digest_of(ANA)).fold([enrolled]) == EmailClaim(taken=True)


keys = st.sampled_from([KeyId("k1"), KeyId("k2")])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(RevokeApiKey, key=keys),
    st.builds(
        CreateApiKey,
        key=keys,
        tenant=st.just(TENANT),
        name=st.just("n"),
        secret_sha256=st.just("s"),
        permissions=st.just(()),
    ),
    st.builds(register, st.sampled_from("uvw"), st.sampled_from([ANA, Email("b@example.org")])),
)


@settings(max_examples=40)
@for_all(st.lists(commands, max_size=12))
def test_a_key_is_made_once_and_never_comes_back(sequence: list[Command]) -> None:
    history = history_of(sequence)
    for key in ("k1", "k2"):
        of_key = [type(event) for event in history if f"key:{key}" in event.tags]
        assert of_key in ([], [ApiKeyCreated], [ApiKeyCreated, ApiKeyRevoked])
    emails = [event.email for event in history if isinstance(event, UserEnrolled)]
    assert len(emails) == len(set(emails))
