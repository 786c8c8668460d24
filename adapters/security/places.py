"""Where somebody calls from: the client of the request at hand, and the network it is in.

A network is a place to us: providers give people other addresses of the same one from day to day,
and who has one address of it often has all. Behind proxies, uvicorn puts the address in its place
that a trusted one tells of, and nobody else's word counts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from litestar.types import Scope

from adapters.access.sessions import Client
from domain.access import Network

PREFIXES: Final = {4: 24, 6: 48}
NOWHERE: Final = Network("unknown")
"""The place of whatever has no address: a socket of this machine, or a name that a proxy told."""

KEPT_MAX: Final = 4_096
_calling: ContextVar[Scope | None] = ContextVar("calling", default=None)


@contextmanager
def calling(scope: Scope) -> Iterator[None]:
    """Know whose request it is that all that happens within is done for."""
    token = _calling.set(scope)
    try:
        yield
    finally:
        _calling.reset(token)


def caller() -> Client:
    """Say who calls, where there is a request at hand."""
    scope = _calling.get()
    return Client() if scope is None else client_of(scope)


def client_of(scope: Scope) -> Client:
    """Say where a request comes from. What it says of itself may be anything."""
    client = scope.get("client")
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return Client(address=client[0] if client else "", agent=agent.decode("latin-1"))


@lru_cache(KEPT_MAX)
def network_of(address: str) -> Network:
    """Name the network of an address: /24 of IPv4, /48 of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return NOWHERE
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return Network(str(ip_network((int(found), PREFIXES[found.version]), strict=False)))
