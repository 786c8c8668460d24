"""What a stranger's tool makes of our documents is answered as they say, whoever sends it.

A few examples of each operation: run it by hand with `--max-examples 200` to look harder.
"""

import asyncio
import json
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from adapters.rest.described import operations_of
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.rest.api import caller, make_tenant, url_of

EXAMPLES = "2"
SECONDS_MAX = 240
REST_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)
CREDENTIALS = {"owner": None, "reader": ("invoicing.invoice.read",), "nobody": ()}

# Whoever may do little is refused before most of what is sent is looked at.
PHASES = {"owner": "examples,coverage,fuzzing", "reader": "fuzzing", "nobody": "fuzzing"}


@pytest.mark.parametrize("who", CREDENTIALS)
async def test_rest_answers_as_documented(
    api: Settings, runtime: Runtime, tmp_path: Path, who: str
) -> None:
    async with caller(api) as client:
        document = (await client.get("/openapi.json")).json()
    _forget_any_other_answer(document)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    key = "ask_unknown" if who == "nobody" else await _key(runtime, CREDENTIALS[who])
    arguments = (str(file), "--url", url_of(api), "--checks", REST_CHECKS, "--phases", PHASES[who])
    said = await _generated(*arguments, key=key)
    assert f"Tested: {len(list(operations_of(document)))}" in said


def _forget_any_other_answer(document: dict[str, Any]) -> None:
    """Leave only the answers that an operation names: with a default, all would be documented."""
    for operation in operations_of(document):
        operation["responses"].pop("default", None)


async def _key(runtime: Runtime, permissions: tuple[str, ...] | None) -> str:
    return (await make_tenant(runtime, permissions)).key


async def _generated(*arguments: str, key: str) -> str:
    """Let the tool send what it makes up; return what it says of it, once it found nothing."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", *arguments]
    command += ["--max-examples", EXAMPLES]
    command += ["--header", f"Authorization: Bearer {key}"]
    command += ["--generation-deterministic", "--no-color", "--warnings", "off"]
    done = await asyncio.to_thread(
        run, command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
