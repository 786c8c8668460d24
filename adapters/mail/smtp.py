"""Letters by SMTP (RFC 5321): encrypted, but to a relay that is named as one without.

What the server says of a letter decides whether it is sent again: 4 later, 5 never. Its words may
name the address, so that nothing is told of them but the number.
"""

import asyncio
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from msgspec import Struct

from adapters.mail.messages import message_of
from application.errors import Malformed, Unavailable
from application.mail import Letter
from domain.kernel import Refused

PORTS: Final = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
NEVER: Final = 500
LOGIN: Final = frozenset({530, 534, 535, 538})
"""What it says to whoever has not logged in as it asks for (RFC 4954, section 6)."""


class Server(Struct, frozen=True, kw_only=True):
    """A mail server, as its address names it."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port})"


class SmtpMailer:
    """Implements ``application.mail.Mailer``."""

    def __init__(self, server: Server, sender: str, seconds_max: float) -> None:
        self._server = server
        self._sender = sender
        self._seconds_max = seconds_max

    async def send(self, letter: Letter) -> None:
        """Send a letter by a connection of its own."""
        message = message_of(letter, self._sender)
        client = self._client()
        try:
            async with asyncio.timeout(self._seconds_max):
                await _connect(client)
                await client.send_message(message)
        except SMTPRecipientsRefused as error:
            raise _answered(error.recipients[0].code) from None
        except SMTPResponseException as error:
            raise _answered(error.code) from None
        except SMTPNotSupported:
            raise _refused("it takes none to addresses of other than Latin letters") from None
        except (SMTPException, OSError, TimeoutError) as error:
            raise _away(type(error).__name__) from None
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            local_hostname=self._sender.rpartition("@")[2].rstrip(">"),
            timeout=self._seconds_max,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp",
        )


async def _connect(client: aiosmtplib.SMTP) -> None:
    """Connect, encrypt and log in. What is refused here says nothing of the letter."""
    try:
        await client.connect()
    except SMTPResponseException as error:
        raise _away(f"it said {error.code} before the letter") from None
    except SMTPNotSupported:
        raise _away("it has no way to log in that we know") from None


def read_server(url: str) -> Server:
    """Read the address of a mail server.

    Raises:
        Malformed: It is none, or a password would go over the wire in clear.

    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if not parts.hostname or parts.scheme not in PORTS or port == 0:
        raise Malformed(
            "settings.bad_mail_server",
            "SMTP_URL names no mail server.",
            hint="Write it as smtp://USER:PASSWORD@HOST:587, and signs of a password as %40.",
        )
    if parts.scheme == "smtp+plain" and parts.password:
        raise Malformed(
            "settings.bad_mail_server",
            "SMTP_URL would send a password that others could read.",
            hint="Use smtp:// or smtps:// with it.",
        )
    return Server(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _answered(code: int) -> Refused | Unavailable:
    if code < NEVER or code in LOGIN:
        return _away(f"it said {code}")
    return _refused(f"it said {code}")


def _refused(why: str) -> Refused:
    return Refused(
        "mail.refused",
        f"The mail server does not take the letter: {why}.",
        hint="Mend the address or the server's rules, and have the letter sent again.",
    )


def _away(why: str) -> Unavailable:
    return Unavailable(
        "mail.unavailable",
        f"The mail server took no letter: {why}.",
        hint="It is tried again by itself. Compare SMTP_URL with what the server asks for.",
    )
