"""Access tokens that were forged, altered or outlived: none is read, whatever they say."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest

from adapters.access.secret import keys_for
from adapters.access.sessions import PURPOSE as REFRESH_PURPOSE
from adapters.access.shown import CSRF_PURPOSE
from adapters.access.tokens import LENGTH_MAX, PURPOSE, Tokens
from adapters.settings import Settings
from domain.ids import TenantId
from tests.attacks.forging import (
    Forger,
    Json,
    base64,
    by_ecdsa,
    by_rsa,
    encoded,
    ours,
    unsigned,
    with_secret,
)

SEED: Final = b"k" * 32
NOW: Final = datetime(2026, 1, 2, tzinfo=UTC)
AT: Final = NOW.timestamp()
TOKENS: Final = Tokens([SEED])
GENUINE: Final = TOKENS.sign("user:1", TenantId("t"), "s", now=NOW, seconds=600)
KID: Final = str(json.loads(urlsafe_b64decode(GENUINE.partition(".")[0] + "=="))["kid"])
FORGER: Final = Forger(SEED, KID, ours("user:1", "t", "s", AT))
ALG: Final = {"alg": "EdDSA"}
WITH_KID: Final = {**ALG, "kid": KID}
KIDS: Final[tuple[object, ...]] = (
    "../../../../dev/null",
    "/proc/self/environ",
    "file:///dev/null",
    "https://attacker.example/key",
    "x' UNION SELECT 'k' --",
    "$(id)",
    "",
    "a" * 3_000,
    "\u0000",
    KID.upper(),
    f" {KID}",
    0,
    None,
    True,
    [KID],
    {"kid": KID},
)
ALGORITHMS: Final[tuple[object, ...]] = (
    *("none", "None", "NONE", "nOnE", "", " none"),
    *(None, 0, [], ["none"], {}),
)


def read(token: str) -> object:
    return TOKENS.read(token, now=NOW)


def own_jwk() -> Json:
    """Write the forger's own key as a header could carry it."""
    x = base64(FORGER.theirs.public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": KID}


def test_a_token_put_together_by_hand_is_read_where_nothing_is_wrong_with_it() -> None:
    """Or the tests below would see refused what is never taken."""
    assert read(FORGER.token()) is not None
    assert read(GENUINE) is not None


@pytest.mark.parametrize("alg", ALGORITHMS, ids=repr)
@pytest.mark.parametrize("sign", [unsigned, FORGER.theirs.sign], ids=["unsigned", "theirs"])
def test_no_token_says_that_it_need_not_be_signed(alg: object, sign: object) -> None:
    assert read(FORGER.token({"alg": alg, "kid": KID}, sign=sign)) is None  # type: ignore[arg-type] # One of two.
    assert read(FORGER.token({"alg": alg}, sign=unsigned)) is None


def test_a_header_without_an_algorithm_is_none_of_ours() -> None:
    assert read(FORGER.token({"kid": KID})) is None
    assert read(FORGER.token(b'{"alg":"none","alg":"EdDSA"}', sign=unsigned)) is None
    assert read(FORGER.token(b'{"alg":"EdDSA","alg":"none"}', sign=unsigned)) is None


@pytest.mark.parametrize("form", FORGER.public_forms())
@pytest.mark.parametrize(("alg", "digest"), [("HS256", "sha256"), ("HS512", "sha512")])
def test_the_public_key_is_no_secret_to_sign_with(form: str, alg: str, digest: str) -> None:
    sign = with_secret(FORGER.public_forms()[form], digest)
    for header in ({"alg": alg, "kid": KID}, {"alg": alg}):
        assert read(FORGER.token(header, sign=sign)) is None


@pytest.mark.parametrize(
    ("alg", "signer"), [("RS256", by_rsa), ("ES256", by_ecdsa)], ids=["RS256", "ES256"]
)
def test_a_key_of_another_family_signs_nothing(alg: str, signer: Callable[[], object]) -> None:
    for named in (alg, "EdDSA"):
        header = {"alg": named, "kid": KID}
        assert read(FORGER.token(header, sign=signer())) is None  # type: ignore[arg-type] # A signer of theirs.


@pytest.mark.parametrize("kid", KIDS, ids=range(len(KIDS)))
def test_a_kid_finds_no_key_but_ours(kid: object) -> None:
    header = {**ALG, "kid": kid}
    assert read(FORGER.token(header, sign=FORGER.theirs.sign)) is None
    assert read(FORGER.token({"alg": "HS256", "kid": kid}, sign=with_secret(b""))) is None


@pytest.mark.parametrize("header", [ALG, WITH_KID], ids=["no kid", "our kid"])
def test_a_key_of_their_own_signs_nothing(header: Json) -> None:
    assert read(FORGER.token(header, sign=FORGER.theirs.sign)) is None


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "cty"])
def test_a_token_brings_no_key_and_no_rules_along(name: str) -> None:
    given: Json = {
        "jwk": own_jwk(),
        "jku": "https://attacker.example/keys",
        "x5u": "https://attacker.example/chain",
        "x5c": [base64(b"a certificate")],
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "cty": "JWT",
    }
    for header in (ALG, WITH_KID):
        asked = {**header, name: given[name]}
        assert read(FORGER.token(asked, sign=FORGER.theirs.sign)) is None


@pytest.mark.parametrize(
    "other",
    [
        {"exp": int(AT)},
        {"exp": int(AT) - 1},
        {"exp": -1},
        {"exp": None},
        {"exp": True},
        {"exp": "9999999999"},
        {"exp": [int(AT) + 60]},
        {"iss": "another"},
        {"iss": ["asiento"]},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ["asiento-api", "another"]},
        {"aud": None},
        {"sub": None},
        {"sub": 1},
        {"tenant": None},
        {"tenant": {"id": "t"}},
        {"sid": None},
    ],
    ids=repr,
)
def test_claims_that_do_not_hold_here_and_now_are_refused_even_signed_by_us(other: Json) -> None:
    assert read(FORGER.token(claims={**FORGER.claims, **other})) is None


@pytest.mark.parametrize("claim", FORGER.claims)
def test_no_claim_may_be_missing(claim: str) -> None:
    rest = {name: value for name, value in FORGER.claims.items() if name != claim}
    assert read(FORGER.token(claims=rest)) is None


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_a_number_beyond_all_numbers_is_no_time(number: str) -> None:
    text = json.dumps(FORGER.claims | {"exp": 0}).replace('"exp": 0', f'"exp": {number}')
    token = FORGER.token(claims=text.encode())
    assert read(token) is None


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b'"user:1"', b"{", b"\xff\xfe", b"[" * 2_000, b'{"sub":' * 300],
    ids=range(8),
)
def test_a_payload_that_says_nothing_is_refused_even_signed_by_us(payload: bytes) -> None:
    assert read(FORGER.token(claims=payload)) is None
    assert read(FORGER.token(payload)) is None


def test_what_was_signed_for_one_says_nothing_of_another() -> None:
    header, _, signature = GENUINE.split(".")
    other = encoded({**FORGER.claims, "sub": "user:2"})
    doubled = encoded(json.dumps(FORGER.claims)[:-1].encode() + b',"sub":"user:2"}')
    for payload in (other, doubled):
        assert read(f"{header}.{payload}.{signature}") is None


def test_a_part_of_a_token_or_more_than_one_is_none() -> None:
    header, payload, signature = GENUINE.split(".")
    altered = [
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{header}.{payload}.{base64(bytes(64))}",
        f"{GENUINE}.{payload}.{signature}",
        json.dumps({"protected": header, "payload": payload, "signature": signature}),
    ]
    assert [read(each) for each in altered] == [None] * len(altered)


def test_a_token_of_another_instance_is_none_of_ours() -> None:
    others = Tokens([b"o" * 32])
    assert read(others.sign("user:1", TenantId("t"), "s", now=NOW, seconds=600)) is None


def test_a_key_for_another_purpose_signs_no_access_token() -> None:
    settings = Settings(asiento_secret_key="s" * 32)
    ours_now = Tokens(keys_for(settings, PURPOSE))
    for purpose in (REFRESH_PURPOSE, CSRF_PURPOSE):
        others = Tokens(keys_for(settings, purpose))
        token = others.sign("user:1", TenantId("t"), "s", now=NOW, seconds=600)
        assert others.read(token, now=NOW) is not None
        assert ours_now.read(token, now=NOW) is None


def test_a_token_that_does_not_end_is_not_taken_apart() -> None:
    claims = {**FORGER.claims, "more": "x" * LENGTH_MAX}
    assert read(FORGER.token(claims=claims)) is None
    assert read("x" * 10_000_000) is None
