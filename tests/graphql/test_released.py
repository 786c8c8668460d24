"""The schema breaks no client of the release in silence."""

from adapters.graphql.released import CHANGELOG, RELEASED, changes, unlisted
from adapters.graphql.sdl import sdl
from tests.house.source import ROOT

BEFORE = "type Query { net: Int total(of: ID): Int! }"
CHANGELOG_OF_TWO = """# Changelog

## 2.0.0 (unreleased)

- Something new.

### Breaking (GraphQL)

- Field Query.total changed type
  from Int! to Int. Expect null.

### Other

- Field Query.net was removed.

## 1.0.0

### Breaking (GraphQL)

- Field Query.net was removed.
"""


def test_what_breaks_clients_since_the_release_stands_in_the_changelog() -> None:
    found = changes((ROOT / RELEASED).read_text(encoding="utf-8"), sdl())
    missing = unlisted(found.breaking, (ROOT / CHANGELOG).read_text(encoding="utf-8"))
    assert not missing, "Say it under ### Breaking (GraphQL): python -m adapters.graphql.released"


def test_what_breaks_clients_is_told_from_what_surprises_them() -> None:
    found = changes(BEFORE, "type Query { total(of: ID, at: ID): Int }")
    assert found.breaking == (
        "Field Query.net was removed.",
        "Field Query.total changed type from Int! to Int.",
    )
    assert found.dangerous == ("An optional argument Query.total(at:) was added.",)


def test_what_is_new_breaks_nobody() -> None:
    assert changes(BEFORE, BEFORE.replace("}", "tax: Int }")).breaking == ()


def test_a_line_counts_under_its_heading_of_the_newest_version_alone() -> None:
    found = changes(BEFORE, "type Query { total(of: ID): Int }")
    assert unlisted(found.breaking, CHANGELOG_OF_TWO) == ["Field Query.net was removed."]
    assert unlisted(found.breaking, "") == list(found.breaking)
    assert unlisted((), "") == []
