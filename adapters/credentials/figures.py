"""How many credentials there are, and how many of them end: what an operator is warned by."""

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from adapters.credentials.safe import count_secrets
from adapters.postgres.connections import Pool


async def credential_figures(pool: Pool, soon_days: int) -> list[Metric]:
    """Write the counts as gauges. No label names a tenant or a credential.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    found = await count_secrets(pool, soon_days)
    family = GaugeMetricFamily(
        "asiento_credentials",
        "Secrets of outside systems: good for long, about to expire, expired.",
        labels=["expiry"],
    )
    family.add_metric(["far"], found.kept - found.ending - found.ended)
    family.add_metric(["soon"], found.ending)
    family.add_metric(["past"], found.ended)
    return [family]
