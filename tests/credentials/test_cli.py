"""`asiento credentials` and `asiento token`, in processes of their own."""

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from adapters.settings import Settings
from tests.cli.conftest import Asiento, Environment, command_line
from tests.credentials.conftest import Look
from tests.credentials.token_server import TokenServer

OF_ACME = ("--tenant", "acme")


@pytest.fixture(scope="module")
def tenant(asiento: Asiento) -> str:
    made = asiento("tenant", "create", "acme", "--name", "Acme SL", "--country", "ES")
    assert made.code == 0, made.err
    return "acme"


def secret(server: TokenServer) -> str:
    about = {"token_url": server.token_url, "client_id": "client-1", "client_secret": "word-1"}
    return msgspec.json.encode(about).decode()


async def call(asiento: Asiento, *words: str, given: str = "") -> object:
    answer = await asyncio.to_thread(asiento, *words, given=given)
    assert answer.code == 0, answer.err
    return answer


async def test_a_secret_is_stored_and_its_token_printed(
    asiento: Asiento, tenant: str, server: TokenServer, environment: Environment
) -> None:
    store = ("credentials", "store", "api", *OF_ACME, "--kind", "oauth2_client_credentials")
    await call(asiento, *store, "--secret", "-", given=secret(server))
    get = ("token", "get", "api", *OF_ACME)
    processes = [
        await asyncio.create_subprocess_exec(
            *command_line(*get), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(5)
    ]
    told = [(await each.communicate())[0].decode().strip() for each in processes]
    assert server.accepts(told[0])
    assert (len(set(told)), server.grants) == (1, 1)
    answer = await asyncio.to_thread(asiento, *get, "--json")
    assert answer.json["token"] == told[0]
    assert answer.json["kind"] == "Bearer"
    assert tenant == "acme"


def test_the_list_warns_of_what_expires(asiento: Asiento, tenant: str, tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text("a word\n")
    now = datetime.now(UTC)
    for name, ends in (("soon", 5), ("later", 300), ("ended", -5)):
        at = (now + timedelta(days=ends, hours=1)).isoformat()
        store = ("credentials", "store", name, *OF_ACME, "--kind", "generic", "--secret", str(file))
        answer = asiento(*store, "--expires-at", at)
        assert answer.code == 0, answer.err
    listed = {
        each["credential"]: each for each in asiento("credentials", "list", *OF_ACME, "--json").json
    }
    assert listed["soon"]["warning"] == "expires in 5 days"
    assert listed["later"]["warning"] is None
    assert listed["ended"]["warning"] == "expired"
    few = asiento("credentials", "list", *OF_ACME, "--expiring", "30", "--json").json
    assert {each["credential"] for each in few} == {"soon", "ended"}
    shown = asiento("credentials", "list", *OF_ACME).out
    assert "expires in 5 days" in shown
    assert "a word" not in shown
    assert tenant == "acme"


def test_a_credential_is_rotated_and_revoked(asiento: Asiento, tenant: str) -> None:
    store = ("credentials", "store", "turning", *OF_ACME, "--kind", "generic", "--secret", "-")
    assert asiento(*store, given="first").code == 0
    rotate = ("credentials", "rotate", "turning", *OF_ACME, "--secret", "-")
    assert (
        asiento(*rotate, "--json", given="second").json["events"][0]["type"] == "CredentialRotated"
    )
    assert "so already" in asiento(*rotate, given="second").out
    assert asiento("credentials", "revoke", "turning", *OF_ACME).code == 0
    gone = asiento(*rotate, "--json", given="third")
    assert (gone.code, gone.json["error"]["code"]) == (1, "credentials.revoked")
    assert tenant == "acme"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("credentials", "rotate", "absent", "--secret", "-"), "credentials.absent"),
        (
            ("credentials", "store", "x", "--kind", "smtp", "--secret", "-"),
            "credentials.bad_secret",
        ),
        (
            ("credentials", "store", "x", "--kind", "smtp", "--secret", "no-such-file"),
            "credentials.unreadable_file",
        ),
        (("token", "get", "absent"), "credentials.absent"),
    ],
)
def test_what_can_not_be_done_is_told_by_its_code(
    asiento: Asiento, tenant: str, words: tuple[str, ...], code: str
) -> None:
    answer = asiento(*words, "--tenant", tenant, "--json", given="a word")
    assert answer.code in {1, 2}
    assert answer.json["error"]["code"] == code


def test_what_is_secret_is_no_option_of_a_derived_command(asiento: Asiento) -> None:
    told = asiento("store-credential", "--help").out
    assert "--credential" in told
    assert "--secret-id" in told
    assert "--secret " not in told


def test_a_new_master_key_wraps_the_keys_of_credentials_too(
    asiento: Asiento, tenant: str, settings: Settings, look: Look
) -> None:
    store = ("credentials", "store", "wrapped", "--tenant", tenant, "--kind", "generic")
    assert asiento(*store, "--secret", "-", given="a word").code == 0
    done = asiento("personal", "rotate", "--json")
    assert done.code == 0, done.err
    assert look("SELECT DISTINCT master FROM credential_key") == [(done.json["master"],)]
    assert (settings.data / "master-keys").read_text().startswith(done.json["master"])
