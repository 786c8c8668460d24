"""What the documentation shows is what happens: its commands run, its links lead somewhere."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Environment
from tests.docs.documents import ROOT, Document, Step, documents, is_answer

SECONDS_MAX = 60
END = "=== the answer ends here ==="
TOLD = [each for each in documents() if list(each.steps())]


def answers(steps: list[Step], folder: Path, environment: Environment) -> list[str]:
    """Run the commands of a document in one shell, so that its variables last to the end."""
    session = folder / "session.sh"
    session.write_text(
        "exec 2>&1\n" + "".join(f"{each.command}\necho '\n{END}'\n" for each in steps)
    )
    done = subprocess.run(
        ["/usr/bin/env", "bash", session],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return done.stdout.split(f"\n{END}\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="These pages call curl.")
@pytest.mark.parametrize("document", TOLD, ids=lambda each: each.path)
def test_commands_answer_what_the_page_shows(
    document: Document, checkout: Path, environment: Environment
) -> None:
    steps = list(document.steps())
    for name, content in document.files():
        (checkout / name).write_text(content)
    given = answers(steps, checkout, environment)
    wrong = [
        f"{document.path}:{step.line}: $ {step.command}{answer}\nand the page shows:\n{step.answer}"
        for step, answer in zip(steps, given, strict=False)
        if not is_answer(step.answer, answer)
    ]
    assert not wrong, "\n".join(wrong)
    assert len(given) == len(steps) + 1, f"The shell ended after {given[-1]}"


@pytest.mark.parametrize("document", documents(), ids=lambda each: each.path)
def test_links_lead_to_something_that_is_there(document: Document) -> None:
    folder = (ROOT / document.path).parent
    inside = [link for link in document.links() if "://" not in link]
    lost = [link for link in inside if not _leads_somewhere(link, folder, document)]
    assert not lost


def test_a_different_answer_is_told_from_the_same() -> None:
    shown = "InvoiceIssued  48\nnet: 3.00, …\n"
    assert is_answer(shown, "InvoiceIssued 1234\n\nnet: 3.00, due: 3.63")
    assert not is_answer(shown, "InvoiceIssued 1234\nnet: 4.00, due: 3.63")
    assert not is_answer("rows  5", "rows  6")


def _leads_somewhere(link: str, folder: Path, document: Document) -> bool:
    name, _, anchor = link.partition("#")
    target = folder / name if name else ROOT / document.path
    if not target.exists() or not anchor:
        return target.exists()
    return anchor in Document(target.resolve().relative_to(ROOT).as_posix()).anchors()
