"""A hot series: every client issues in the same one, against each in a series of its own."""

from typing import Final

from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.turns import Bench, Findings, alternate
from benchmarks.support.report import case

NAME: Final = "32 clients issuing invoices in one series, commands"
AGAINST: Final = "32 clients, each in its own series"
INVOICES: Final = 5_000
INVOICES_QUICK: Final = 1_000


def one_series(bench: Bench) -> Findings:
    invoices = INVOICES_QUICK if bench.quick else INVOICES

    def issued(load: Load) -> Run:
        with bench.server.fresh_database("series") as urls:
            return run_load(bench.server, urls, load)

    turns = alternate(
        bench,
        NAME,
        lambda: issued(Load(kind="one series", invoices=invoices)),
        lambda: issued(Load(kind="own series", invoices=invoices)),
        against=AGAINST,
    )
    found = case(NAME, turns.ratios(lambda run: run.rate), against=AGAINST, must=0.4, aim=0.8)
    return Findings(cases=[found], turns=[turns])
