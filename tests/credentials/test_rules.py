"""The rules of credentials, and the rows that people look at."""

# ruff: noqa: S106 - none of these is secret.

from datetime import UTC, datetime

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.credentials import (
    CREDENTIALS_MAX,
    Credential,
    CredentialName,
    CredentialRevoked,
    CredentialRotated,
    Credentials,
    CredentialStored,
    CredentialUsed,
    Fingerprint,
    RevokeCredential,
    RotateCredential,
    SecretId,
    StoreCredential,
    UseCredential,
)
from domain.kernel import Command
from projections.credentials import CredentialRow
from projections.credentials import Credentials as CredentialRows
from projections.kernel import project
from tests.kernel import given, history_of

DRIVE, MAIL = CredentialName("drive"), CredentialName("mail")
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
LATER = datetime(2027, 5, 2, 12, tzinfo=UTC)

store = StoreCredential(
    credential=DRIVE, kind="smtp", secret="f1", secret_id=SecretId("s1"), expires_at=NOON
)
stored = CredentialStored(
    credential=DRIVE,
    kind="smtp",
    secret_id=SecretId("s1"),
    version=1,
    fingerprint=Fingerprint("f1"),
    expires_at=NOON,
)
rotate = RotateCredential(credential=DRIVE, kind="smtp", secret="f2", secret_id=SecretId("s2"))
rotated = CredentialRotated(
    credential=DRIVE,
    secret_id=SecretId("s2"),
    version=2,
    fingerprint=Fingerprint("f2"),
    expires_at=None,
)
revoke = RevokeCredential(credential=DRIVE)
revoked = CredentialRevoked(credential=DRIVE)
use = UseCredential(credential=DRIVE, version=1, purpose="mail", at=NOON)
used = CredentialUsed(credential=DRIVE, version=1, purpose="mail", at=NOON)


def test_a_credential_is_stored_in_its_first_version() -> None:
    given().when(store).then(stored)


def test_what_is_there_already_is_not_stored_again() -> None:
    given(stored).when(store).then_nothing()


def test_another_secret_does_not_take_a_name_that_is_taken() -> None:
    other = StoreCredential(
        credential=DRIVE, kind="smtp", secret="f9", secret_id=SecretId("s9"), expires_at=NOON
    )
    given(stored).when(other).then_refused("credentials.name_taken")


def test_a_rotation_makes_the_next_version() -> None:
    given(stored).when(rotate).then(rotated)
    given(stored, rotated).when(rotate).then_nothing()


def test_a_new_expiry_of_the_same_secret_is_a_version() -> None:
    again = RotateCredential(
        credential=DRIVE, kind="smtp", secret="f1", secret_id=SecretId("s3"), expires_at=LATER
    )
    given(stored).when(again).then(
        CredentialRotated(
            credential=DRIVE,
            secret_id=SecretId("s3"),
            version=2,
            fingerprint=Fingerprint("f1"),
            expires_at=LATER,
        )
    )


def test_a_credential_stays_of_its_kind() -> None:
    other = RotateCredential(credential=DRIVE, kind="oracle", secret="f2", secret_id=SecretId("s2"))
    given(stored).when(other).then_refused("credentials.other_kind")


def test_what_is_revoked_opens_nothing() -> None:
    given(stored).when(revoke).then(revoked)
    given(stored, revoked).when(revoke).then_nothing()
    given(stored, revoked).when(use).then_refused("credentials.revoked")
    given(stored, revoked).when(rotate).then_refused("credentials.revoked")


def test_what_is_not_there_can_not_be_used_rotated_or_revoked() -> None:
    for command in (use, rotate, revoke):
        given().when(command).then_refused("credentials.absent")


def test_what_was_revoked_may_be_stored_anew_and_its_versions_count_on() -> None:
    again = StoreCredential(credential=DRIVE, kind="oracle", secret="f1", secret_id=SecretId("s4"))
    given(stored, rotated, revoked).when(again).then(
        CredentialStored(
            credential=DRIVE,
            kind="oracle",
            secret_id=SecretId("s4"),
            version=3,
            fingerprint=Fingerprint("f1"),
            expires_at=None,
        )
    )


def test_a_use_is_noted_each_time() -> None:
    given(stored).when(use).then(used)
    given(stored, used).when(use).then(used)


def test_a_version_that_was_rotated_is_not_used_any_more() -> None:
    given(stored, rotated).when(use).then_refused("credentials.rotated")


def test_a_tenant_has_a_bounded_number_of_credentials() -> None:
    many = [
        CredentialStored(
            credential=CredentialName(f"c{number}"),
            kind="generic",
            secret_id=SecretId(f"s{number}"),
            version=1,
            fingerprint=Fingerprint("f"),
            expires_at=None,
        )
        for number in range(CREDENTIALS_MAX)
    ]
    given(*many).when(store).then_refused("credentials.too_many")
    given(*many, CredentialRevoked(credential=CredentialName("c7"))).when(store).then(stored)


def test_a_command_that_brings_a_secret_does_not_show_it() -> None:
    secret = StoreCredential(
        credential=DRIVE, kind="generic", secret="MARK", secret_id=SecretId("s1")
    )
    assert "MARK" not in repr(secret)
    assert list(secret.__rich_repr__()) == [("credential", DRIVE)]


commands = st.lists(
    st.one_of(
        st.builds(
            StoreCredential,
            credential=st.sampled_from([DRIVE, MAIL]),
            kind=st.sampled_from(["smtp", "generic"]),
            secret=st.sampled_from(["a", "b"]),
            secret_id=st.text("xyz", min_size=1, max_size=3).map(SecretId),
            expires_at=st.sampled_from([None, NOON]),
        ),
        st.builds(
            RotateCredential,
            credential=st.sampled_from([DRIVE, MAIL]),
            kind=st.sampled_from(["smtp", "generic"]),
            secret=st.sampled_from(["a", "b", "c"]),
            secret_id=st.text("xyz", min_size=1, max_size=3).map(SecretId),
            expires_at=st.sampled_from([None, NOON]),
        ),
        st.builds(RevokeCredential, credential=st.sampled_from([DRIVE, MAIL])),
        st.builds(
            UseCredential,
            credential=st.sampled_from([DRIVE, MAIL]),
            version=st.integers(1, 3),
            purpose=st.just("p"),
            at=st.just(NOON),
        ),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@for_all(commands)
def test_versions_only_go_up_and_the_count_is_that_of_the_active(asked: list[Command]) -> None:
    history = history_of(asked)
    for name in (DRIVE, MAIL):
        versions = [
            event.version
            for event in history
            if isinstance(event, CredentialStored | CredentialRotated) and event.credential == name
        ]
        assert versions == list(range(1, len(versions) + 1))
    rows = project(CredentialRows, history)
    active = [row for row in rows.values() if row.status == "active"]
    assert Credentials.at(credentials="all").fold(history).many == len(active)
    for credential, row in rows.items():
        state = Credential.at(credential=credential).fold(history)
        shown = (row.kind, row.version, row.fingerprint, row.expires_at, row.status)
        known = (state.kind, state.version, state.fingerprint, state.expires_at, state.status)
        assert shown == known


def test_a_row_shows_all_but_the_secret() -> None:
    rows = project(CredentialRows, [stored, used, rotated, revoked])
    assert rows == {
        DRIVE: CredentialRow(
            credential=DRIVE,
            kind="smtp",
            version=2,
            fingerprint=Fingerprint("f2"),
            expires_at=None,
            status="revoked",
            last_used_at=NOON,
            last_used_for="mail",
        )
    }
