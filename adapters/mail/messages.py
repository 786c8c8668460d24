"""Letters as messages of the internet (RFC 5322), whose headers hold only what we put there."""

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final

from application.mail import Letter, one_line
from domain.kernel import Refused

NAMED: Final = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@([^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,255})"
)


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """Make the message of a letter.

    Raises:
        Refused: Its address is none that a header can hold.

    """
    message = EmailMessage(policy=SMTP)
    name, address = parseaddr(sender)
    message["From"] = Address(name, addr_spec=address)
    user, _, host = reachable(letter.to).rpartition("@")
    message["To"] = Address(username=user, domain=host)
    message["Subject"] = one_line(letter.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{letter.id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # So that nobody's holidays answer (RFC 3834).
    message.set_content(letter.text)
    return message


def reachable(address: str) -> str:
    """Write an address as mail servers take it: the name of its host in plain letters (IDNA).

    Raises:
        Refused: It can't be one, or it would have to be quoted.

    """
    found = NAMED.fullmatch(address)
    try:
        host = found[1].encode("idna").decode() if found else ""
    except UnicodeError:
        host = ""
    if not host:
        raise Refused(
            "mail.bad_address",
            "The letter's address is none that can be written to.",
            hint="Mend the address, and have the letter sent again.",
        )
    return f"{address.rpartition('@')[0]}@{host}"
