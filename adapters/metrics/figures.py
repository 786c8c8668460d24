"""What this process counts of its own work. Labels name projections, never tenants or people."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry()
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

BATCH_EVENTS: Final = Histogram(
    "asiento_projection_batch_events",
    "Events of a batch, for all projections of a log together.",
    buckets=(1, 3, 10, 30, 100, 300, 1_000),
    registry=REGISTRY,
)
FOLD_SECONDS: Final = Histogram(
    "asiento_projection_fold_seconds",
    "Time to load the rows that a batch touches and to fold it, by projection.",
    ["projection"],
    buckets=SECONDS,
    registry=REGISTRY,
)
WRITE_SECONDS: Final = Histogram(
    "asiento_projection_write_seconds",
    "Time until the rows that a batch touched are written, of all projections of a log together.",
    buckets=SECONDS,
    registry=REGISTRY,
)
REACTIONS: Final = Counter(
    "asiento_reactions",
    "Events that a reaction was asked about, by how it ended: done or refused.",
    ["reaction", "result"],
    registry=REGISTRY,
)


def note_batch(events: int) -> None:
    """Count a batch of a log."""
    BATCH_EVENTS.observe(events)


def note_fold(projection: str, seconds: float) -> None:
    """Count what folding a batch took in one projection."""
    FOLD_SECONDS.labels(projection).observe(seconds)


def note_write(seconds: float) -> None:
    """Count what writing a batch took."""
    WRITE_SECONDS.observe(seconds)


def note_reaction(reaction: str, *, refused: bool) -> None:
    """Count an event that a reaction was asked about."""
    REACTIONS.labels(reaction, "refused" if refused else "done").inc()
