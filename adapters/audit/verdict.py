"""What a verification comes to: the log by itself, what `system` noted of it, and the anchor.

A log that is whole in itself may still be another than there was, or be gone.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict, replace

from adapters.audit.chain import Problem
from adapters.audit.log import Verified
from adapters.audit.registry import Noted, Owner
from application.anchors import Anchor, Head
from domain.ids import TenantId

Anchoring: TypeAlias = Literal["passed", "failed", "absent", "archived"]
"""What an anchor says: archived where the log is gone, and its archive can be asked."""

STRANGER: Final = "The log of `system` knows no such tenant."


class Verdict(Struct, frozen=True, kw_only=True):
    """All that is known of a log. *anchored* is None where no anchor was given."""

    tenant: str
    slug: str
    events: int
    ok: bool
    first_bad: int | None
    problem: Problem | None
    reason: str | None
    head: str
    anchored: Anchoring | None = None
    removed: Noted | None = None


def find_head(anchor: Anchor | None, tenant: TenantId) -> Head | None:
    """Find the head of one log; None: the anchor does not hold it."""
    return next((head for head in anchor.heads if head.tenant == tenant), None) if anchor else None


def judge(
    slug: str, verified: Verified, noted: Noted | None = None, anchor: Anchor | None = None
) -> Verdict:
    """Take together what was found in a log, what was noted of it, and what was anchored.

    *verified* has been compared with the anchored head where the log is there.
    """
    found = Verdict(**asdict(verified), slug=slug)
    head = find_head(anchor, TenantId(verified.tenant))
    if noted is not None and found.ok:
        found = _compared(found, noted)
    if found.removed is not None:
        return _removed(found, found.removed, head)
    return found if anchor is None else _anchored(found, anchor, head)


def is_gone(verified: Verified, noted: Noted | None) -> bool:
    """Tell whether the log is not there because it was removed in good order."""
    return noted is not None and noted.removed and verified.events == 0


def _compared(found: Verdict, noted: Noted) -> Verdict:
    """Compare with where the log ended when it was archived, or came back."""
    if noted.removed and found.events == 0:
        return replace(found, removed=noted)
    when = f"on {noted.at:%Y-%m-%d} the log of `system` noted {noted.events}"
    if found.events < noted.events:
        reason = f"The log ends at {found.events}, but {when}: it was cut off."
        return _bad(found, "truncated", found.events + 1, reason)
    if found.events == noted.events and found.head != noted.head:
        reason = f"The log ends with another hash than {when} with: it was rewritten."
        return _bad(found, "head", found.events, reason)
    return found


def _removed(found: Verdict, noted: Noted, head: Head | None) -> Verdict:
    """Compare an anchor with where the log ended that is gone. An earlier head is in the file."""
    if head is None:
        return found
    same = head.position == noted.events and head.hash == noted.head
    if head.position < noted.events:
        return replace(found, anchored="archived")
    if same:
        return replace(found, anchored="passed")
    reason = (
        f"The anchor has the log at {head.position}, but it was removed as if it had ended at"
        f" {noted.events}, and otherwise."
    )
    return replace(_bad(found, "anchor", head.position, reason), anchored="failed", removed=None)


def _anchored(found: Verdict, anchor: Anchor, head: Head | None) -> Verdict:
    if head is not None:
        return replace(found, anchored="passed" if found.ok else "failed")
    if not found.ok or found.events == 0:  # An empty log has no head to sign.
        return replace(found, anchored="absent")
    reason = (
        f"Anchor {anchor.number} of {anchor.made_at:%Y-%m-%d} holds no head of this log: it was"
        " empty or not there then. Take a later anchor."
    )
    return replace(found, ok=False, problem="unanchored", reason=reason, anchored="absent")


def _bad(found: Verdict, problem: Problem, position: int, reason: str) -> Verdict:
    return replace(found, ok=False, first_bad=position, problem=problem, reason=reason)


def unnamed(tenant: TenantId) -> Owner:
    """Take a log for that of a tenant of whom nothing is known but the id."""
    return Owner(tenant=tenant, slug="", name="", country="")


def stranger(found: Verdict) -> Verdict:
    """Say of a log that was anchored that its tenant is not known any more."""
    return replace(found, ok=False, problem=found.problem or "anchor", reason=STRANGER)
