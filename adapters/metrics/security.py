"""What became of what happened at the door of an API, as figures."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily


def security_figures(counts: Counter[tuple[str, str]]) -> Iterator[Metric]:
    """Write the counts of this process, by kind and what became of it."""
    entries = CounterMetricFamily(
        "asiento_security_entries",
        "What was to be noted in security logs: noted, repeated or left_out where a log is kept"
        " from filling up, lost where too much waited or a server was away.",
        labels=["kind", "result"],
    )
    for (kind, result), many in sorted(counts.items()):
        entries.add_metric([kind, result], many)
    yield entries
