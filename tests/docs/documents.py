"""Documents as their readers use them: blocks that are files, and sessions at a shell.

A block ```csv sales.csv is the file of that name. A ```console block is what stands on a
terminal: commands behind ``$``, their further lines behind ``>``, and what they answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

ANYTHING = "…"
STABLE = (
    (r"ask_[0-9a-f-]{36}_\w{43}", "KEY"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "TOKEN"),
    (r"\bWyJ[\w-]+", "CURSOR"),
    (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+(?:Z|\+00:00)", "TIME"),
    (r"(\"?(?:position|cursor)\"?: ?)\"?\d+\"?", r"\1POSITION"),
    (r"http://127\.0\.0\.1:\d+", "URL"),
    (r"[\w./-]*/\.asiento/", ".asiento/"),
    (r"\d[\d,]*(?:\.\d+)?( events?/s| s\b| events)", r"N\1"),
    (r"(\"(?:ingest|validate|promote|seconds|events_per_second)\":)[\d.]+", r"\1N"),
    (r"^([A-Z]\w+ )\d+$", r"\1POSITION"),
)
"""What differs from one run to the next, and what stands for it while answers are compared."""


@dataclass(frozen=True)
class Step:
    """A command, and the answer that the document shows."""

    line: int
    command: str
    answer: str


@dataclass(frozen=True)
class Document:
    """A page of the documentation, by its path from the root of the checkout."""

    path: str

    @property
    def text(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    def blocks(self) -> Iterator[tuple[int, str, str]]:
        """Yield the first line, the info string and the content of each fenced block."""
        for found in FENCE.finditer(self.text):
            yield self.text.count("\n", 0, found.start()) + 2, found["info"], found["body"]

    def files(self) -> Iterator[tuple[str, str]]:
        for _, info, body in self.blocks():
            _, _, name = info.partition(" ")
            if name:
                yield name, body

    def steps(self) -> Iterator[Step]:
        for line, info, body in self.blocks():
            if info == "console":
                yield from _session(line, body)

    def links(self) -> Iterator[str]:
        return (found[1] for found in LINK.finditer(FENCE.sub("", self.text)))

    def anchors(self) -> set[str]:
        """Name the headings as GitHub links to them."""
        return {
            re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
            for title in HEADING.findall(FENCE.sub("", self.text))
        }


def _session(first: int, body: str) -> Iterator[Step]:
    """Take a block apart: ``$`` begins a command, ``>`` goes on with it."""
    for found in re.finditer(r"^\$ (.*\n(?:> ?.*\n)*)((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
        command = re.sub(r"^> ?", "", found[1], flags=re.MULTILINE)
        yield Step(first + body.count("\n", 0, found.start()), command, found[2])


def is_answer(shown: str, given: str) -> bool:
    """Tell whether the answer is the one that is shown, ``…`` standing for anything.

    On a line of its own it stands for any lines, none included.
    """
    lines = (
        "(?:.*\n)*" if line == ANYTHING else ".*".join(map(re.escape, line.split(ANYTHING))) + "\n"
        for line in stable(shown).split("\n")
    )
    return re.fullmatch("".join(lines), stable(given) + "\n") is not None


def stable(answer: str) -> str:
    """Put a name in the place of what differs from one run to the next."""
    lines = (" ".join(line.split()) for line in answer.strip().splitlines())
    text = "\n".join(line for line in lines if line)
    for pattern, name in STABLE:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


def documents() -> list[Document]:
    """Find every page but the decisions, which stay as they were taken."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [Document(page.relative_to(ROOT).as_posix()) for page in pages]
