"""What `asiento audit` says of a log: in words, and as documents for programs."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import asdict

from adapters.anchors.evidence import Evidence
from adapters.audit.export import Exported
from adapters.audit.registry import Noted
from adapters.audit.verdict import Anchoring, Verdict
from adapters.cli.anchors import said_of
from adapters.cli.failures import FAILED
from adapters.cli.output import Result, Table, counted

ANCHORINGS: Final[dict[Anchoring | None, str]] = {
    "passed": "passes through it",
    "failed": "contradicted",
    "absent": "not in it",
    "archived": "ask the archive",
    None: "",
}


def said_of_log(found: Verdict, evidence: Evidence | None) -> Result:
    """Answer with what was found in one log."""
    people = [_said(found)]
    if evidence is not None and found.ok:
        people[0] += _anchored(found, evidence)
        people.append(said_of(evidence.timestamp))
    return Result(
        document=asdict(found) | {"anchor": anchor_named(evidence)},
        people=tuple(people),
        code=0 if found.ok else FAILED,
    )


def table_of_logs(found: Sequence[Verdict], *, anchored: bool) -> Table:
    """Answer with what was found in every log."""
    columns = ("TENANT", "EVENTS", "FOUND", *(("ANCHOR",) if anchored else ()), "HEAD")
    rows = [
        (
            each.slug or each.tenant,
            each.events,
            _in_short(each),
            *((ANCHORINGS[each.anchored],) if anchored else ()),
            each.head,
        )
        for each in found
    ]
    return Table(columns, rows)


def anchor_named(evidence: Evidence | None) -> dict[str, Any] | None:  # Any: of several types.
    """Name the anchor that logs were compared with."""
    if evidence is None:
        return None
    signed = evidence.anchor
    return {
        "number": signed.number,
        "made_at": signed.made_at,
        "digest": evidence.digest,
        "public_key": signed.public_key,
    }


def broken(slug: str, found: Exported | Verdict) -> str:
    """Say of a log, or of an export, that it was changed."""
    return f"The log of {slug} was changed at event {found.first_bad}: {found.reason}"


def _said(found: Verdict) -> str:
    if found.problem == "unanchored":
        return f"The log of {found.slug} is whole in itself, and no more is proved. {found.reason}"
    if not found.ok:
        return broken(found.slug, found)
    if found.removed is not None:
        return _gone(found.slug, found.removed)
    if found.events == 0:
        return (
            f"The log of {found.slug} is empty, and nothing here says that it ever held an event."
            " If it did, only an anchor can tell."
        )
    events = counted(found.events, "event")
    return f"The log of {found.slug} is what was appended: {events}, head {found.head}."


def _gone(slug: str, noted: Noted) -> str:
    return (
        f"The log of {slug} is not here. By the log of `system` it was removed on"
        f" {noted.at:%Y-%m-%d} into the archive with SHA-256 {noted.archive}:"
        f" {counted(noted.events, 'event')}, head {noted.head}. Verify that file with --file."
    )


def _anchored(found: Verdict, evidence: Evidence) -> str:
    name = f"anchor {evidence.anchor.number} of {evidence.anchor.made_at:%Y-%m-%d}"
    match found.anchored:
        case "passed" if found.removed is not None:
            return f" That is its head in {name}."
        case "passed":
            return f" It passes through {name}."
        case "archived":
            return f" Give --anchor then too: {name} holds an earlier head of it."
        case _:
            return f" It is not in {name}."


def _in_short(found: Verdict) -> str:
    if found.reason is not None:
        at = "" if found.first_bad is None else f"Event {found.first_bad}: "
        return f"{at}{found.reason}"
    if found.removed is not None:
        return f"removed on {found.removed.at:%Y-%m-%d}, archive {found.removed.archive}"
    return "ok" if found.events else "empty"
