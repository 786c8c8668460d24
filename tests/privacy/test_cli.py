"""`asiento personal`, and what people see of somebody forgotten, by every way to look."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from adapters.postgres.projecting.projector import Projector
from adapters.runtime import open_runtime
from adapters.settings import Settings
from tests.cli.conftest import Answer, command_line, shell

INVOICE = {
    "number": "1",
    "issued_on": "2026-05-01",
    "lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}],
    "customer": {"code": "C7", "name": "Ana Núñez", "tax_id": "12345678Z"},
}
Asiento: TypeAlias = Callable[..., Answer]


@pytest.fixture(scope="module")
def asiento(settings: Settings) -> Asiento:
    environment = shell(
        DATABASE_URL=settings.database_url or "",
        DATABASE_ADMIN_URL=settings.database_admin_url or "",
        REDIS_URL=settings.redis_url or "",
        ASIENTO_DATA=str(settings.data),
    )

    def call(*arguments: str) -> Answer:
        done = subprocess.run(
            command_line(*arguments),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    return call


@pytest.fixture(scope="module")
def tenant(asiento: Asiento) -> str:
    """A tenant with one invoice of a natural person."""
    assert asiento("tenant", "create", "acme", "--name", "Acme", "--country", "ES").code == 0
    recorded = asiento("record-invoice", "--tenant", "acme", "--input", json.dumps(INVOICE))
    assert recorded.code == 0, recorded.err
    return "acme"


def events(asiento: Asiento, tenant: str) -> list[dict[str, Any]]:
    lines = asiento("events", "--tenant", tenant).out.splitlines()
    return [json.loads(line) for line in lines]


async def project(settings: Settings) -> None:
    async with open_runtime(settings) as runtime:
        await Projector(runtime.pool, runtime.vault).catch_up()


def test_somebody_is_listed_forgotten_and_the_log_still_verifies(
    asiento: Asiento, tenant: str, settings: Settings
) -> None:
    listed = asiento("personal", "list", "--tenant", tenant, "--json")
    ((subject, forgotten_at),) = [(e["subject"], e["forgotten_at"]) for e in listed.json]
    assert (subject, forgotten_at) == ("customer_code:C7", None)
    assert events(asiento, tenant)[0]["data"]["customer_name"] == "Ana Núñez"

    by = ("--tenant", tenant, "--reason", "Asked for it.")
    done = asiento("personal", "forget", "--subject", "customer_code:C7", *by, "--json")
    assert [each["type"] for each in done.json["events"]] == ["SubjectForgotten"]
    seen = events(asiento, tenant)[0]["data"]
    assert (seen["customer_name"], seen["customer_tax_id"]) == ("[forgotten]", "[forgotten]")
    assert (seen["customer_code"], seen["number"]) == ("C7", "1")

    asyncio.run(project(settings))
    (listed,) = asiento("personal", "list", "--tenant", tenant, "--json").json
    assert None not in (listed["forgotten_at"], listed["destroyed_at"])
    assert listed["pending"] == []
    assert asiento("audit", "verify", "--tenant", tenant).code == 0
    again = asiento("personal", "forget", "--subject", "customer_code:C7", *by)
    assert (again.code, "it is so already" in again.out) == (0, True)


def test_nobody_is_forgotten_by_mistake(asiento: Asiento, tenant: str) -> None:
    for subject, code, exit_code in (
        ("customer_code:C99", "privacy.subject_absent", 1),
        ("C7", "privacy.bad_subject", 2),
        ("customer code:C7", "input.invalid", 2),
    ):
        answer = asiento(
            "personal",
            "forget",
            "--tenant",
            tenant,
            "--subject",
            subject,
            "--reason",
            "r",
            "--json",
        )
        assert (answer.json["error"]["code"], answer.code) == (code, exit_code)


def test_the_derived_command_takes_no_word_for_what_it_looks_up(
    asiento: Asiento, tenant: str
) -> None:
    given = {"kind": "customer_code", "value": "C99", "reason": "r", "last_generation": 0}
    answer = asiento("forget-subject", "--tenant", tenant, "--input", json.dumps(given), "--json")
    assert answer.json["error"]["code"] == "input.invalid"


def test_the_master_key_is_changed_and_all_stays_readable(asiento: Asiento) -> None:
    assert asiento("tenant", "create", "turn", "--name", "T", "--country", "ES").code == 0
    recorded = asiento("record-invoice", "--tenant", "turn", "--input", json.dumps(INVOICE))
    assert recorded.code == 0
    first = asiento("personal", "rotate", "--json").json
    assert (first["made"], first["keys"] > 0) == (True, True)
    assert events(asiento, "turn")[0]["data"]["customer_name"] == "Ana Núñez"
    assert "Keep the former one" in asiento("personal", "rotate").out


def test_users_belong_to_the_system(asiento: Asiento) -> None:
    listed = asiento("personal", "list", "--tenant", "system", "--json")
    assert (listed.code, listed.json) == (0, [])
