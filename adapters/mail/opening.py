"""Which way letters go, by the settings."""

from adapters.mail.folder import FolderMailer
from adapters.mail.smtp import SmtpMailer, read_server
from adapters.settings import Settings
from application.mail import Mailer

FOLDER = "mail"


def open_mailer(settings: Settings) -> Mailer:
    """Choose the mail server that is set, or else the folder.

    Raises:
        Malformed: The address of the server is none.

    """
    if settings.smtp_url is None:
        return FolderMailer(settings.data / FOLDER, settings.mail_from)
    server = read_server(settings.smtp_url)
    return SmtpMailer(server, settings.mail_from, settings.mail_seconds_max)
