"""What each kind of secret must hold, and that no message quotes any of it."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey

from application.credentials import DOCUMENTS, check_secret
from application.errors import Malformed
from domain.credentials import Kind

MARK = "c4nary-5ecret"
CLIENT: dict[str, object] = {
    "token_url": "https://login.example/token",
    "client_id": "c",
    "client_secret": MARK,
}
CLOUD = "https://x.docuware.example"
GOOD: list[tuple[Kind, dict[str, object], tuple[str, ...]]] = [
    ("oauth2_client_credentials", CLIENT, ("https://login.example/token",)),
    (
        "oauth2_client_credentials",
        {**CLIENT, "scope": "a b", "client_in": "body"},
        ("https://login.example/token",),
    ),
    ("oauth2_refresh_token", {**CLIENT, "refresh_token": MARK}, ("https://login.example/token",)),
    ("docuware", {"url": CLOUD, "username": "u", "password": MARK}, (CLOUD,)),
    ("docuware", {"url": CLOUD, "grant": "token", "token": MARK}, (CLOUD,)),
    ("oracle", {"user": "u", "password": MARK, "dsn": "db/x"}, ()),
    ("smtp", {"host": "mail.example", "username": "u", "password": MARK}, ()),
    ("payment_provider", {"provider": "p", "api_key": MARK}, ()),
]
BAD: list[tuple[Kind, object, str]] = [
    ("oauth2_client_credentials", {**CLIENT, "client_secret": [MARK]}, "client_secret"),
    ("oauth2_client_credentials", {**CLIENT, MARK: MARK}, "its fields are others"),
    ("oauth2_client_credentials", {**CLIENT, "client_in": MARK}, "client_in"),
    ("oauth2_refresh_token", CLIENT, "refresh_token"),
    ("docuware", {"url": CLOUD, "username": "u"}, "needs password"),
    ("docuware", {"url": CLOUD, "grant": MARK}, "grant"),
    (
        "docuware",
        {"url": CLOUD, "grant": "trusted", "username": "u", "password": MARK},
        "impersonate",
    ),
    ("oracle", [MARK], "its fields are others"),
    ("smtp", f"{{{MARK}", "no JSON"),
    ("smtp", {"host": "h", "username": "u", "password": MARK, "port": 0}, "port"),
    ("generic", f"{MARK}\x00", "control character"),
    ("generic", f"{MARK}\ud800", "control character"),
]


def service_account(**given: object) -> dict[str, object]:
    """Write the file of a service account as Google does."""
    key = RSAKey.generate_key(2048).as_pem(private=True).decode()
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "key-1",
        "private_key": key,
        "client_email": "robot@project.example",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
        **given,
    }


def written(secret: object) -> str:
    return secret if isinstance(secret, str) else msgspec.json.encode(secret).decode()


@pytest.mark.parametrize(("kind", "secret", "addresses"), GOOD)
def test_a_secret_of_its_kind_names_where_it_would_be_sent_to(
    kind: Kind, secret: dict[str, object], addresses: tuple[str, ...]
) -> None:
    assert check_secret(kind, written(secret)) == addresses


@pytest.mark.parametrize(("kind", "secret", "told"), BAD)
def test_what_is_none_of_its_kind_is_told_without_being_shown(
    kind: Kind, secret: object, told: str
) -> None:
    with pytest.raises(Malformed) as malformed:
        check_secret(kind, written(secret))
    assert malformed.value.code == "credentials.bad_secret"
    assert told in malformed.value.message
    assert MARK not in f"{malformed.value.message} {malformed.value.hint}"


def test_a_file_of_google_is_taken_as_it_is() -> None:
    assert check_secret("google_service_account", written(service_account())) == ()


def test_a_generic_secret_is_any_text() -> None:
    assert check_secret("generic", "two\nlines") == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"token_uri": "https://evil.example/token"}, "none of Google's"),
        ({"private_key": MARK}, "can't be read"),
        ({"type": "authorized_user"}, "type"),
    ],
)
def test_a_file_that_google_did_not_make_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(Malformed, match=told):
        check_secret("google_service_account", written(service_account(**given)))


def test_a_key_that_is_none_of_rsa_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(Malformed, match="none of RSA"):
        check_secret("google_service_account", written(service_account(private_key=pem)))


@pytest.mark.parametrize(("kind", "secret", "addresses"), GOOD)
def test_a_document_does_not_show_what_it_holds(
    kind: Kind, secret: dict[str, object], addresses: tuple[str, ...]
) -> None:
    document = msgspec.json.decode(written(secret), type=DOCUMENTS[kind])
    assert document.addresses == addresses
    assert MARK in document.text
    assert MARK not in repr(document)
    assert list(document.__rich_repr__()) == []
