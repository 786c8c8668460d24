"""The rules of access."""

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.access import (
    Email,
    EmailClaim,
    EmailDigest,
    RegisterUser,
    UserEnrolled,
    UserId,
    UserRegistered,
)
from domain.ids import TenantId
from domain.kernel import Command
from tests.kernel import given, history_of

TENANT, ANA = TenantId("t1"), Email("ana@example.org")
ARGON2ID = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
PERMISSIONS = ("invoicing.invoice.read",)


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


def test_what_is_known_of_an_address_is_little() -> None:
    assert EmailClaim.at(email=ANA).fold([registered]) == EmailClaim(user=UserId("u1"))
    by_digest = EmailClaim.at(email_digest=digest_of(ANA)).fold([enrolled])
    assert by_digest == EmailClaim(user=UserId("u1"))
    assert by_digest.taken


commands: st.SearchStrategy[Command] = st.builds(
    register, st.sampled_from("uvw"), st.sampled_from([ANA, Email("b@example.org")])
)


@settings(max_examples=40)
@for_all(st.lists(commands, max_size=12))
def test_an_address_is_of_one_person(sequence: list[Command]) -> None:
    history = history_of(sequence)
    emails = [event.email for event in history if isinstance(event, UserEnrolled)]
    assert len(emails) == len(set(emails))
