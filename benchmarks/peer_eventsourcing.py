"""The peer: the eventsourcing library on PostgreSQL, with its stock recorders, from threads.

It speaks as our client processes do. ``application`` saves a new aggregate of one event;
``dcb`` appends one event with three tags, on the condition that nothing is known of its invoice.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import perf_counter, process_time
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.postgres_tt import PostgresTTDCBFactory
from eventsourcing.domain import Aggregate
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict

from application.ports import Append
from benchmarks.appending.load import Load, did
from benchmarks.appending.work import appends


class Invoice(Aggregate):
    """An aggregate whose first event holds the data of an invoice."""

    def __init__(self, data: str) -> None:
        self.data = data


def main() -> None:
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    style = {"application": _saving, "dcb": _appending}[load.kind]
    write = style(environment(load))
    _write_for(write, load, load.warm_up_seconds)
    print("ready", flush=True)
    sys.stdin.readline()
    begun, cpu = perf_counter(), process_time()
    latencies = _write_for(write, load, load.seconds)
    done = did(latencies, seconds=perf_counter() - begun, cpu_seconds=process_time() - cpu)
    print(msgspec.json.encode(done).decode(), flush=True)
    sys.stdin.read()


def environment(load: Load) -> dict[str, str]:
    known = conninfo_to_dict(load.database_url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(known["dbname"]),
        "POSTGRES_HOST": str(known["host"]),
        "POSTGRES_PORT": str(known["port"]),
        "POSTGRES_USER": str(known["user"]),
        "POSTGRES_PASSWORD": str(known["password"]),
        # Its own pool would hold 5 connections; as many as clients is faster.
        "POSTGRES_POOL_SIZE": str(load.clients),
    }


def _saving(environment: dict[str, str]) -> Callable[[Append], object]:
    application = Application[UUID](environment)
    return lambda made: application.save(Invoice(data=made.events[0].data))


def _appending(environment: dict[str, str]) -> Callable[[Append], object]:
    recorder = PostgresTTDCBFactory(Environment("bench", environment)).dcb_recorder()

    def write(made: Append) -> object:
        (event,), (query,) = made.events, made.boundary
        item = DCBQueryItem(types=list(query.types), tags=list(query.tags))
        new = DCBEvent(type=event.type, data=event.data.encode(), tags=list(event.tags))
        nothing = DCBQuery(items=[item])
        return recorder.append([new], DCBAppendCondition(fail_if_events_match=nothing, after=0))

    return write


def _write_for(write: Callable[[Append], object], load: Load, seconds: float) -> list[float]:
    """Append with every thread, one after the other."""
    latencies: list[float] = []
    making, one_at_a_time = appends(1), Lock()
    deadline = perf_counter() + seconds

    def client(_number: int) -> None:
        while (begun := perf_counter()) < deadline:
            with one_at_a_time:
                made = next(making)
            write(made)
            latencies.append(perf_counter() - begun)

    with ThreadPoolExecutor(load.clients) as pool:
        list(pool.map(client, range(load.clients)))
    return latencies


if __name__ == "__main__":
    main()
