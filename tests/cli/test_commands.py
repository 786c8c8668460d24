"""What every command keeps to: exit codes, one line of error, one document of JSON."""

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from adapters.audit.registry import absent
from adapters.cli.failures import failure_of
from adapters.cli.main import COMMANDS, GROUPS, kebab, make_app
from adapters.cli.output import counted
from adapters.cli.session import located
from adapters.settings import Settings
from application.errors import Malformed, Unavailable
from application.kernel import exposed_commands
from tests.cli.conftest import Asiento, Environment, command_line

LINES = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'
NOBODY = "host=127.0.0.1 port=1 user=nobody password=x dbname=none"


def test_a_command_that_is_done_exits_with_0_and_one_document(asiento: Asiento) -> None:
    answer = asiento("migrate", "--json")
    assert answer.code == 0
    assert answer.json == {"applied": [], "pending": []}
    assert answer.err == ""


@pytest.mark.parametrize("words", [("migrate", "--json"), ("tenant", "create", "acme")])
def test_a_command_that_starts_cold_says_the_same(
    asiento: Asiento, environment: Environment, words: tuple[str, ...]
) -> None:
    cold = subprocess.run(
        command_line(*words), env=environment, capture_output=True, text=True, check=False
    )
    warm = asiento(*words)
    assert (warm.code, warm.out, warm.err) == (cold.returncode, cold.stdout, cold.stderr)


def test_a_refusal_exits_with_1_and_says_why_in_one_line(asiento: Asiento, tenant: str) -> None:
    answer = asiento("tenant", "create", tenant, "--name", "Another", "--country", "EC")
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err == (
        "Error: The short name acme belongs to Acme SL. Choose another short name.\n"
    )


def test_a_refusal_is_a_document_too(asiento: Asiento, tenant: str) -> None:
    answer = asiento("tenant", "create", tenant, "--name", "Other", "--country", "EC", "--json")
    assert answer.code == 1
    assert answer.json == {
        "error": {
            "code": "tenants.slug_taken",
            "message": "The short name acme belongs to Acme SL.",
            "hint": "Choose another short name.",
        }
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing-of-ours",),
        ("tenant", "create", "acme"),
        ("tenant", "create", "Not a slug", "--name", "X", "--country", "ES"),
        ("tenant", "create", "acme", "--name", "X", "--country", "FR"),
        ("events", "--tenant", "acme", "--after", "yesterday"),
        ("draft-invoice", "--tenant", "acme", "--input", "{"),
        ("audit",),
        ("personal",),
        ("projections",),
        ("tenant",),
        (),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(asiento: Asiento, tenant: str, arguments: list[str]) -> None:
    assert tenant
    answer = asiento(*arguments, "--json")
    assert answer.code == 2
    assert set(answer.json["error"]) == {"code", "message", "hint"}
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("draft-invoice", "--tenant", "acme", "--input", "@no-such-file.json"),
        ("audit", "verify", "--file", "no-such-file"),
        ("audit", "verify", "--file", "."),
        ("audit", "check-anchor", "no-such-file"),
        ("audit", "replay", "no-such-file"),
        ("tenant", "restore", "no-such-file"),
        ("import", "no-such-file", "--tenant", "acme", "--type", "invoices"),
    ],
    ids=" ".join,
)
def test_a_file_that_cannot_be_read_exits_with_1(
    asiento: Asiento, tenant: str, arguments: list[str]
) -> None:
    assert tenant
    answer = asiento(*arguments, "--json")
    assert answer.code == 1
    assert answer.json["error"]["code"] == "input.unreadable_file"


def test_a_group_alone_names_its_commands_and_writes_no_answer(asiento: Asiento) -> None:
    answer = asiento("audit")
    assert (answer.code, answer.out) == (2, "")
    assert "`asiento audit` takes a command: verify, export" in answer.err
    assert asiento().code == 0


def test_a_server_that_is_away_exits_with_3_at_once(asiento: Asiento) -> None:
    answer = asiento("events", "--tenant", "acme", "--json", DATABASE_URL=NOBODY)
    assert answer.code == 3
    assert answer.json["error"]["code"] == "database.unavailable"
    assert len(answer.err.splitlines()) == 1


def test_a_tenant_that_is_not_there_exits_with_1(asiento: Asiento) -> None:
    for command in (("events",), ("audit", "verify"), ("audit", "explain", "invoice", "1")):
        answer = asiento(*command, "--tenant", "nobody")
        assert answer.code == 1
        assert "There is no tenant nobody. Mend the name" in answer.err


def test_no_business_is_done_in_the_log_of_the_instance(asiento: Asiento) -> None:
    answer = asiento("draft-invoice", "--tenant", "system", "--input", LINES, "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "tenants.absent")
    assert "asiento tenant list" in answer.json["error"]["hint"]


def test_where_no_server_is_named_the_folder_that_was_looked_in_is(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path)
    error = located(absent("nobody"), settings)
    assert error.message == f"There is no tenant nobody in the instance of {tmp_path}."
    assert "ASIENTO_DATA" in error.hint


def test_tenants_are_listed_without_a_projector(asiento: Asiento, tenant: str) -> None:
    listed = asiento("tenant", "list", "--json").json
    (found,) = [each for each in listed if each["slug"] == tenant]
    assert (found["name"], found["country"], found["books"]) == ("Acme SL", "ES", "open")
    assert found["created"]
    assert "Acme SL" in asiento("tenant", "list").out


def test_numbers_agree_with_what_they_count() -> None:
    told = [counted(many, "event") for many in (0, 1, 2, 1_000)]
    assert told == ["0 events", "1 event", "2 events", "1,000 events"]


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (Unavailable("database.unavailable", "m.", hint="h."), 3),
        (Unavailable("redis.unavailable", "m.", hint="h."), 3),
        (Unavailable("queue.unavailable", "m.", hint="h."), 3),
        (Unavailable("audit.not_written", "m.", hint="h."), 1),
        (Unavailable("anchors.not_kept", "m.", hint="h."), 1),
        (Unavailable("store.no_room", "m.", hint="h."), 1),
        (Unavailable("privacy.master_key_absent", "m.", hint="h."), 1),
        (Malformed("input.invalid", "m.", hint="h."), 2),
    ],
    ids=lambda each: getattr(each, "code", None),
)
def test_only_a_server_that_is_away_exits_with_3(error: Exception, exit_code: int) -> None:
    failure = failure_of(error)
    assert failure is not None
    assert failure.exit_code == exit_code


def test_a_server_that_was_never_migrated_is_told_so(settings: Settings) -> None:
    with (
        psycopg.connect(settings.database_url or "") as connection,
        pytest.raises(psycopg.Error) as missing,
    ):
        connection.execute("SET ROLE asiento_of_another_server")
    failure = failure_of(missing.value)
    assert failure is not None
    assert (failure.code, failure.hint) == ("database.not_migrated", "Run `asiento migrate`.")


def test_help_names_every_command(asiento: Asiento) -> None:
    answer = asiento("--help")
    public = [e.command.__name__ for e in exposed_commands().values() if e.route is not None]
    assert answer.code == 0
    for name in (*COMMANDS, *GROUPS, *map(kebab, public)):
        assert re.search(rf"\b{name}\b", answer.out), name


def test_every_command_can_be_imported_and_described() -> None:
    app = make_app()
    for name in (*COMMANDS, *GROUPS):
        for member in [app[name], *(app[name][each] for each in GROUPS.get(name, ("", {}))[1])]:
            assert member.help


def test_a_reader_that_goes_away_is_no_error(
    environment: Environment, asiento: Asiento, tenant: str
) -> None:
    assert asiento("draft-invoice", "--tenant", tenant, "--input", LINES).code == 0
    with subprocess.Popen(
        command_line("events", "--tenant", tenant),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_settings_are_listed_with_their_secrets_masked(asiento: Asiento) -> None:
    answer = asiento("settings", "--json", REDIS_URL="redis://:secret@localhost/0")
    redis = next(each for each in answer.json if each["name"] == "REDIS_URL")
    assert redis["source"] == "environment"
    assert redis["value"] == "********"
    assert "secret" not in answer.out
