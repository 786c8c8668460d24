"""Access tokens: valid ones, asked for once, with patience, and never beyond where they may go."""

# ruff: noqa: S106 - none of these is secret.

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from google.auth import jwt
from google.oauth2 import service_account
from msgspec.structs import replace

from adapters.credentials.google import assertion_of
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.credentials import AccessToken
from application.errors import Forbidden, Unavailable
from application.secret_kinds import GoogleServiceAccount
from domain.credentials import CredentialName
from domain.kernel import Refused
from tests.credentials.conftest import Office, context_of
from tests.credentials.http import Said
from tests.credentials.test_kinds import service_account as account_file
from tests.credentials.token_server import TokenServer

MARK = "c4nary-5ecret"


async def uses(office: Office) -> int:
    return sum(event.type == "CredentialUsed" for event in await office.events())


@pytest.mark.parametrize("client_in", ["header", "body"])
async def test_client_credentials_give_a_token_that_opens(
    office: Office, server: TokenServer, client_in: str
) -> None:
    server.clients = {"a client:1": "wörd & ü"}
    await office.client(
        "api", server, client_id="a client:1", client_secret="wörd & ü", client_in=client_in
    )
    assert server.accepts(await office.token("api", "read", "write"))
    assert server.asked[-1].form["scope"] == "read write"


async def test_a_token_is_asked_for_once_while_it_is_good(
    office: Office, server: TokenServer
) -> None:
    await office.client("api", server)
    tokens = {await office.token("api") for _ in range(5)}
    assert (len(tokens), server.grants, await uses(office)) == (1, 1, 1)


async def test_fifty_who_wait_cause_one_grant_in_one_process_and_in_three(
    office: Office, server: TokenServer, settings: Settings
) -> None:
    await office.client("api", server)
    server.delay_seconds = 0.2
    async with open_runtime(settings) as second, open_runtime(settings) as third:
        offices = [office, Office(second, office.tenant), Office(third, office.tenant)]
        tokens = await asyncio.gather(*(offices[n % 3].token("api") for n in range(150)))
    assert (len(set(tokens)), server.grants, await uses(office)) == (1, 1, 1)


async def test_one_who_goes_away_takes_nothing_from_those_who_wait_on(
    office: Office, server: TokenServer
) -> None:
    await office.client("api", server)
    server.delay_seconds = 0.2
    waiting = [asyncio.create_task(office.token("api")) for _ in range(3)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()
    assert await waiting[1] == await waiting[2]
    assert waiting[0].cancelled()
    assert server.grants == 1


async def test_a_token_that_is_about_to_end_is_not_given_out(
    office: Office, server: TokenServer, settings: Settings
) -> None:
    server.token_seconds = 1.0
    await office.client("api", server)
    first = await office.token("api")
    assert await office.token("api") == first
    await asyncio.sleep(0.95)
    assert server.accepts(await office.token("api"))
    async with open_runtime(settings) as other:
        assert server.accepts(await Office(other, office.tenant).token("api"))
    assert server.grants == 2


async def test_other_scopes_are_another_token(office: Office, server: TokenServer) -> None:
    await office.client("api", server)
    one, two = await office.token("api", "a"), await office.token("api", "b")
    assert one != two
    assert await office.token("api", "a", "a") == one


async def test_a_token_that_was_refused_is_replaced_once(
    office: Office, server: TokenServer, settings: Settings
) -> None:
    await office.client("api", server)
    first = await office.token("api")
    async with open_runtime(settings) as other:
        second = await Office(other, office.tenant).token("api", refused=first)
    assert await office.token("api", refused=first) == second != first
    assert server.grants == 2


async def test_a_refresh_token_that_changes_is_never_used_twice(
    office: Office, server: TokenServer, settings: Settings
) -> None:
    await office.refresher("mail", server)
    server.delay_seconds = 0.05
    last: str | None = None
    async with open_runtime(settings) as second:
        offices = [office, Office(second, office.tenant)]
        for _ in range(4):
            asking = [offices[n % 2].token("mail", refused=last) for n in range(20)]
            (last,) = set(await asyncio.gather(*asking))
    assert len(server.spent) == server.grants == 4


async def test_a_renewed_refresh_token_is_what_another_process_uses(
    office: Office, server: TokenServer, settings: Settings
) -> None:
    await office.refresher("mail", server)
    first = await office.token("mail")
    async with open_runtime(settings) as other:
        assert await Office(other, office.tenant).token("mail", refused=first) != first


async def test_a_refresh_token_that_stays_is_kept_as_it_is(
    office: Office, server: TokenServer
) -> None:
    server.rotates = False
    await office.refresher("mail", server)
    first = await office.token("mail")
    assert await office.token("mail", refused=first) != first


async def test_a_rotated_credential_gives_other_tokens_and_a_revoked_one_none(
    office: Office, server: TokenServer
) -> None:
    server.clients["client-2"] = "word-2"
    await office.client("api", server)
    first = await office.token("api")
    secret = {"token_url": server.token_url, "client_id": "client-2", "client_secret": "word-2"}
    await office.rotate("api", secret, "oauth2_client_credentials")
    assert await office.token("api") != first
    await office.revoke("api")
    with pytest.raises(Refused) as refused:
        await office.token("api")
    assert refused.value.code == "credentials.revoked"


@pytest.mark.parametrize(
    "answer", [Said(429, headers={"retry-after": "0"}), Said(500), Said(503), Said(408)]
)
async def test_a_server_that_is_busy_or_broken_is_asked_again(
    office: Office, server: TokenServer, answer: Said
) -> None:
    await office.client("api", server)
    server.script = [answer, answer]
    assert server.accepts(await office.token("api"))
    assert len(server.asked) == 3


async def test_a_server_that_asks_for_patience_has_it(office: Office, server: TokenServer) -> None:
    await office.client("api", server)
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.script = [
        Said(429, headers={"retry-after": "1"}),
        Said(503, headers={"retry-after": at}),
    ]
    began = asyncio.get_running_loop().time()
    assert server.accepts(await office.token("api"))
    assert asyncio.get_running_loop().time() - began >= 1.0


async def test_a_server_that_asks_for_more_patience_than_there_is_is_left_alone(
    office: Office, server: TokenServer
) -> None:
    await office.client("api", server)
    server.script = [Said(429, {"said": MARK}, headers={"retry-after": "3600"})]
    for _ in range(2):
        with pytest.raises(Unavailable) as away:
            await office.token("api")
        assert away.value.code == "credentials.token_server_away"
        assert "3600 seconds" in away.value.hint
    assert len(server.asked) == 1


async def test_a_server_that_says_no_is_not_asked_again_at_once(
    office: Office, server: TokenServer
) -> None:
    await office.client("api", server, client_secret=MARK)
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            await office.token("api")
        assert refused.value.code == "credentials.not_accepted"
        assert "HTTP 401 (invalid_client)" in refused.value.message
        assert MARK not in str(refused.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Said(400, {"error": MARK}),
        Said(400, MARK.encode()),
        Said(302, headers={"location": "http://127.0.0.1:1/" + MARK}),
        Said(403, b"\xff"),
    ],
)
async def test_what_a_server_answers_is_quoted_nowhere(
    office: Office, server: TokenServer, answer: Said
) -> None:
    await office.client("api", server)
    server.script = [answer]
    with pytest.raises(Refused) as refused:
        await office.token("api")
    assert refused.value.code == "credentials.not_accepted"
    assert MARK not in str(refused.value)


@pytest.mark.parametrize(
    "answer", [Said(200, MARK.encode()), Said(200, {"x": MARK}), Said(200, [])]
)
async def test_what_is_no_token_is_told_as_such(
    office: Office, server: TokenServer, answer: Said
) -> None:
    await office.client("api", server)
    server.script = [answer]
    with pytest.raises(Unavailable) as odd:
        await office.token("api")
    assert odd.value.code == "credentials.odd_answer"
    assert MARK not in str(odd.value)


async def test_a_server_that_is_not_there_is_away(office: Office, server: TokenServer) -> None:
    await office.client("api", server, token_url="http://127.0.0.1:1/token")
    with pytest.raises(Unavailable) as away:
        await office.token("api")
    assert away.value.code == "credentials.token_server_away"


async def test_an_answer_without_an_end_is_cut_off(office: Office, server: TokenServer) -> None:
    await office.client("api", server)
    server.script = [Said(200, b" " * 2**20)] * 9
    with pytest.raises(Unavailable) as away:
        await office.token("api")
    assert "longer than" in away.value.message


async def test_a_service_account_is_let_in_by_what_it_signs(
    office: Office, server: TokenServer, settings: Settings
) -> None:
    key = server.account.as_pem(private=True).decode()
    async with open_runtime(replace(settings, google_token_uri=server.token_url)) as runtime:
        mine = Office(runtime, office.tenant)
        await mine.store("drive", account_file(private_key=key), "google_service_account")
        assert server.accepts(await mine.token("drive", "https://www.googleapis.com/auth/drive"))
        with pytest.raises(Refused) as refused:
            await mine.token("drive")
        assert refused.value.code == "credentials.no_scopes"
        await mine.store("other", account_file(), "google_service_account")
        with pytest.raises(Refused) as refused:
            await mine.token("other", "a")
        assert "invalid_grant" in refused.value.message


def test_an_assertion_is_the_one_that_googles_own_client_sends() -> None:
    about = account_file(subject="boss@project.example")
    document = msgspec.json.decode(msgspec.json.encode(about), type=GoogleServiceAccount)
    theirs = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        about, scopes=["a", "b"], subject="boss@project.example"
    )
    made = (assertion_of(document, ["a", "b"]), theirs._make_authorization_grant_assertion())
    said = [
        (jwt.decode_header(each), jwt.decode(each, verify=False))  # type: ignore[no-untyped-call]
        for each in made
    ]
    for _, claims in said:
        assert 0 < claims.pop("exp") - claims.pop("iat") <= 3_600
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "given",
    [
        {"grant": "password", "username": "ana", "password": "word-2"},
        {"grant": "trusted", "username": "ana", "password": "word-2", "impersonate": "bea"},
        {"grant": "token"},
        {"grant": "client_credentials", "client_id": "client-1", "client_secret": "word-1"},
    ],
)
async def test_docuware_lets_in_by_each_of_its_grants(
    office: Office, server: TokenServer, given: dict[str, object]
) -> None:
    if given["grant"] == "token":
        given = {**given, "token": server.refresh}
    await office.store("archive", {"url": server.url, **given}, "docuware")
    assert server.accepts(await office.token("archive"))
    form = server.asked[-1].form
    assert form["scope"] == "docuware.platform"
    assert form.get("impersonateName") == given.get("impersonate")


async def test_an_identity_service_that_is_inside_is_asked_nothing(
    office: Office, server: TokenServer
) -> None:
    """What a server outside names as the next address is held to the same rules."""
    server.script = [Said(200, {"IdentityServiceUrl": "ftp://127.0.0.1/"})]
    secret = {"url": server.url, "username": "ana", "password": "word-2"}
    await office.store("archive", secret, "docuware")
    with pytest.raises(Refused) as refused:
        await office.token("archive")
    assert refused.value.code == "credentials.bad_address"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/token",
        "https://127.0.0.1/token",
        "https://[::1]/token",
        "https://169.254.169.254/latest",
        "https://me:word@login.example/token",
        "ftp://login.example/token",
    ],
)
async def test_no_secret_is_kept_that_would_be_sent_inside_or_in_clear(
    settings: Settings, url: str
) -> None:
    strict = replace(settings, credential_allow_http=False, credential_allow_private=False)
    async with open_runtime(strict) as runtime:
        office = Office(runtime)
        secret = {"token_url": url, "client_id": "c", "client_secret": MARK}
        with pytest.raises(Refused) as refused:
            await office.store("api", secret, "oauth2_client_credentials")
        assert refused.value.code == "credentials.bad_address"
        assert await office.events() == []


async def test_a_name_that_leads_inside_is_found_out_when_it_is_connected_to(
    settings: Settings, office: Office, server: TokenServer
) -> None:
    await office.client("api", server, token_url=f"http://localhost:{server.port}/token")
    async with open_runtime(replace(settings, credential_allow_private=False)) as runtime:
        with pytest.raises(Refused) as refused:
            await Office(runtime, office.tenant).token("api")
    assert refused.value.code == "credentials.bad_address"
    assert server.asked == []


async def test_who_may_not_use_credentials_is_given_no_token_that_is_there(
    runtime: Runtime, office: Office, server: TokenServer
) -> None:
    await office.client("api", server)
    await office.token("api")
    reader = context_of(office.tenant, "credentials.secret.read")
    with pytest.raises(Forbidden):
        await runtime.tokens.valid(reader, CredentialName("api"), purpose="a test")
    with pytest.raises(Refused) as refused:
        await Office(runtime).token("api")
    assert refused.value.code == "credentials.absent"


async def test_no_token_is_got_with_what_is_a_word(office: Office) -> None:
    await office.store("word", MARK)
    with pytest.raises(Refused) as refused:
        await office.token("word")
    assert refused.value.code == "credentials.no_tokens"
    assert await uses(office) == 0


def test_a_token_does_not_show_itself() -> None:
    assert MARK not in repr(AccessToken(text=MARK, expires_at=datetime.now(UTC)))
