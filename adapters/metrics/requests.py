"""What the API counts of its requests, as figures."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from adapters.rest.edge import Counts


def request_figures(counts: Counts) -> Iterator[Metric]:
    """Write the counts of this process."""
    requests = CounterMetricFamily(
        "asiento_requests",
        "Requests answered, by route.",
        labels=["method", "route", "status"],
    )
    for (method, route, status), many in sorted(counts.requests.items()):
        requests.add_metric([method, route, str(status)], many)
    seconds = CounterMetricFamily(
        "asiento_request_seconds", "The time they took, by route.", labels=["method", "route"]
    )
    for (method, route), took in sorted(counts.seconds.items()):
        seconds.add_metric([method, route], took)
    yield from (requests, seconds)
