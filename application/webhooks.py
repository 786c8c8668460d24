"""Webhooks as the world may call them, and the addresses that an instance lets them have.

An address inside the instance's own network is none of theirs: what is sent there, and what
comes back, would be a stranger's view of it.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias, get_args
from urllib.parse import urlsplit

from msgspec import Struct

from application.codec import event_types
from application.errors import Malformed
from application.kernel import Exposed, Outcome
from application.modules import Module
from application.moments import check_position
from application.ports import EventStore
from application.vault import Vault
from domain.ids import TenantId
from domain.kernel import Command, Refused
from domain.modules import ModuleName
from domain.webhooks import (
    ChangeWebhook,
    EndpointId,
    PauseWebhook,
    RegisterWebhook,
    RemoveWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RetryWebhook,
    RotateWebhookSecret,
    SecretId,
    SendWebhookTest,
    StopWebhook,
    WebhookEvent,
    WebhookTestRequested,
    check_url,
)

MODULE = Module(
    name=ModuleName("webhooks"),
    title="Addresses outside that are sent what happens.",
)
MANAGE: Final = "webhooks.endpoint.manage"
READ: Final = "webhooks.endpoint.read"
DELIVER: Final = "webhooks.endpoint.deliver"
PREFIX: Final = "whsec_"
"""How the text of a secret begins, by the Standard Webhooks specification."""

OWN: Final = frozenset(event.__name__ for event in get_args(WebhookEvent))
"""Events about endpoints. They hold addresses, and are sent to nobody but for a test."""

TEST: Final = WebhookTestRequested.__name__
JITTER: Final = 0.2
RETRY_AFTER_MAX: Final = timedelta(days=1)

Address: TypeAlias = IPv4Address | IPv6Address
UNICAST: Final = IPv6Network("2000::/3")
REFUSED: Final = tuple(
    ip_network(each)
    for each in (
        "192.0.0.0/24",  # Protocol assignments; a cloud keeps its metadata there.
        "168.63.129.16/32",  # Azure's platform, from inside a machine of it.
        "192.88.99.0/24",  # Relays of 6to4.
        "2001::/23",  # Protocol assignments; Teredo hides an IPv4 address in it.
        "2001:db8::/32",  # Documentation, as are those at 3fff.
        "2002::/16",  # 6to4 hides an IPv4 address.
        "3fff::/20",
    )
)


async def show_secret(
    vault: Vault, tenant: TenantId, command: Command, outcome: Outcome
) -> str | None:
    """Return the text of the secret that a command made; None where it made none."""
    assert isinstance(command, RegisterWebhook | RotateWebhookSecret), "No other makes one."
    if not outcome.events:
        return None
    endpoint = EndpointId(outcome.ids.get("endpoint", command.endpoint))
    return await secret_text(vault, tenant, endpoint, SecretId(outcome.ids["secret_id"]))


COMMANDS = (
    Exposed(command=RegisterWebhook, permission=MANAGE, route="POST /webhooks", secret=show_secret),
    Exposed(command=ChangeWebhook, permission=MANAGE, route="POST /webhooks/{endpoint}/change"),
    Exposed(command=PauseWebhook, permission=MANAGE, route="POST /webhooks/{endpoint}/pause"),
    Exposed(command=ResumeWebhook, permission=MANAGE, route="POST /webhooks/{endpoint}/resume"),
    Exposed(
        command=RotateWebhookSecret,
        permission=MANAGE,
        route="POST /webhooks/{endpoint}/rotate-secret",
        secret=show_secret,
    ),
    Exposed(command=RemoveWebhook, permission=MANAGE, route="POST /webhooks/{endpoint}/remove"),
    Exposed(command=ReplayWebhook, permission=MANAGE, route="POST /webhooks/{endpoint}/replay"),
    Exposed(command=RetryWebhook, permission=MANAGE, route="POST /webhooks/{endpoint}/retry"),
    Exposed(command=SendWebhookTest, permission=MANAGE, route="POST /webhooks/{endpoint}/test"),
    Exposed(command=StopWebhook, permission=DELIVER, always=True),
)


def family(endpoint: EndpointId) -> str:
    """Say how the names of an endpoint's secrets begin. No tag is like it: a tag has a colon."""
    return f"webhook.{endpoint}."


async def secret_text(
    vault: Vault, tenant: TenantId, endpoint: EndpointId, secret: SecretId
) -> str | None:
    """Return a secret as receivers take it; None where the endpoint was removed."""
    key = await vault.secret(tenant, family(endpoint) + secret)
    return None if key is None else PREFIX + b64encode(key).decode()


class Reach(Struct, frozen=True, kw_only=True):
    """How far this instance lets webhooks reach. For development: without TLS, and into itself."""

    http: bool = False
    private: bool = False

    async def admit_to(self, store: EventStore, tenant: TenantId, command: Command) -> None:
        """As ``admit``, and let nothing be sent again from where the log has not come to.

        Raises:
            Refused: Its address is not for webhooks of this instance.
            Malformed: There are no events of a type, or there is no such position.

        """
        self.admit(command)
        if isinstance(command, ReplayWebhook):
            check_position(command.after, await store.head(tenant))

    def admit(self, command: Command) -> None:
        """Let no endpoint be registered that could never be sent anything.

        Raises:
            Refused: Its address is not for webhooks of this instance.
            Malformed: There are no events of a type.

        """
        if not isinstance(command, RegisterWebhook | ChangeWebhook):
            return
        if command.url is not None:
            check_url(command.url)
            self.check(command.url)
        unknown = [name for name in command.types or () if name not in sendable()]
        if unknown:
            raise Malformed(
                "webhooks.unknown_type",
                f"There are no events called {', '.join(unknown[:3])} that are sent.",
                hint="Leave types out to be sent all there are.",
            )

    def check(self, url: str) -> None:
        """Check what an address says of itself. Where it leads is seen when it is connected to.

        Raises:
            Refused: It is not for webhooks of this instance.

        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not self.http:
            raise Refused(
                "webhooks.no_tls",
                "The address begins with http://, and what is sent there could be read by others.",
                hint="Use https. For development, WEBHOOK_ALLOW_HTTP lets http pass.",
            )
        try:
            address = ip_address(parts.hostname or "")
        except ValueError:
            return  # A name.
        self.check_address(address)

    def check_address(self, address: Address) -> None:
        """Check an address that is about to be connected to.

        Raises:
            Refused: It leads inside.

        """
        if not self.private and not is_public(address):
            raise Refused(
                "webhooks.private_address",
                "The host of the endpoint is at an address that is not public.",
                hint="Use a public one. For development, WEBHOOK_ALLOW_PRIVATE lets all pass.",
            )


def sendable() -> Mapping[str, object]:
    """Name the events that endpoints may ask for."""
    return {name: kind for name, kind in event_types().items() if name not in OWN}


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet, and hides no other inside."""
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    if any(address.version == each.version and address in each for each in REFUSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def pause_before(
    schedule: tuple[float, ...], failed: int, chance: float, asked_seconds: float = 0.0
) -> timedelta | None:
    """Say how long to wait after so many failed attempts; None: it was the last.

    *chance*, from 0 to 1, spreads those that failed together. A receiver may ask for more time.
    """
    if failed > len(schedule):
        return None
    pause = timedelta(seconds=schedule[failed - 1] * (1 + JITTER * chance))
    asked = min(timedelta(seconds=max(asked_seconds, 0.0)), RETRY_AFTER_MAX)
    return max(pause, asked)
