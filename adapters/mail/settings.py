"""The settings of letters: by which server they go, in whose name, and where their links lead."""

from typing import Annotated

from msgspec import Meta, Struct

URL = r"^(smtps|smtp|smtp\+plain)://([^\s/@]+@)?[^\s/@?#]+/?$(?!\n)"
SENDER = r"^([^<>@\"\r\n]{1,100} <)?[^\s@<>\",;:]{1,64}@[^\s@<>\",;:]{1,255}>?$(?!\n)"
PAGES = r"^https?://[^\s?#]+$(?!\n)"
PAUSES = r"^[0-9]{1,6}(\.[0-9]{1,3})?(,[0-9]{1,6}(\.[0-9]{1,3})?){0,19}$(?!\n)"


class MailSettings(Struct, frozen=True, kw_only=True):
    """What can be set of letters."""

    smtp_url: Annotated[
        Annotated[str, Meta(pattern=URL)] | None,
        Meta(
            description="The mail server: smtp://USER:PASSWORD@HOST:587 with STARTTLS,"
            " smtps://…:465 with TLS from the start, smtp+plain://HOST:25 without, for a relay on"
            " this machine. Unset: letters are laid into the folder mail of ASIENTO_DATA.",
            extra={"secret": 1},
        ),
    ] = None
    mail_from: Annotated[
        str,
        Meta(
            description="Who letters come from, as Books <books@company.example>.", pattern=SENDER
        ),
    ] = "Asiento <asiento@localhost>"
    mail_seconds_max: Annotated[
        float, Meta(description="How long the mail server may take for a letter.", gt=0, le=60)
    ] = 20.0
    mail_retry_seconds: Annotated[
        str,
        Meta(
            description="The pauses before a letter is tried again that the server did not take;"
            " after the last it is a dead letter.",
            pattern=PAUSES,
        ),
    ] = "5,30,120,600,1800,3600,7200"
    public_url: Annotated[
        Annotated[str, Meta(pattern=PAGES)] | None,
        Meta(
            description="Where people open the pages of this instance: links in letters begin with"
            " it. Unset: the address that the API listens on.",
        ),
    ] = None
