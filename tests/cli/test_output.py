"""What commands say is text: no file and no row of somebody else steers the terminal."""

import pytest

from adapters.cli.output import Failure, Result, Table, show, show_failure

HOSTILE = "acme\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
SHOWN = r"acme\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"


def test_what_steers_a_terminal_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(columns=("tenant",), rows=[[HOSTILE]])
    show(Result(document={}, people=(f"The log of {HOSTILE}\nis whole.", table)), as_json=False)
    failure = Failure(code="a.b", message=HOSTILE, hint="Look again.", exit_code=1)
    show_failure(failure, as_json=False)
    said = capsys.readouterr()
    assert f"The log of {SHOWN}\nis whole." in said.out
    assert said.out.count(SHOWN) == 2
    assert SHOWN in said.err
    assert "\x1b" not in (said.out + said.err)
