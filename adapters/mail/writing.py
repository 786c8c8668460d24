"""The words of letters, in the languages of companies: what happened, the link, for how long.

No letter names more than it must. What companies call themselves stands on one line, in quotes.
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from application.mail import one_line

Kind: TypeAlias = Literal["invitation", "email", "password"]
Language: TypeAlias = Literal["es", "en"]
NAME_LENGTH_MAX: Final = 60


class Words(Struct, frozen=True):
    """A subject and a text, with places for {company}, {link} and {until}."""

    subject: str
    text: str


WORDS: Final[dict[tuple[Kind, Language], Words]] = {
    ("invitation", "es"): Words(
        "Te invitan a «{company}» en Asiento",
        "Te invitan a trabajar en Asiento con la empresa «{company}».\n\n"
        "Para aceptar, abre este enlace:\n\n{link}\n\n"
        "Sirve una sola vez, hasta el {until}. Si no esperabas esta carta, no hagas nada.\n",
    ),
    ("invitation", "en"): Words(
        "You are invited to “{company}” on Asiento",
        "You are invited to work on Asiento with the company “{company}”.\n\n"
        "To accept, open this link:\n\n{link}\n\n"
        "It works once, until {until}. If you did not expect this letter, do nothing.\n",
    ),
    ("email", "es"): Words(
        "Confirma tu dirección de correo",
        "Para confirmar que esta dirección es tuya, abre este enlace:\n\n{link}\n\n"
        "Sirve una sola vez, hasta el {until}. Si no lo pediste, no hagas nada.\n",
    ),
    ("email", "en"): Words(
        "Confirm your email address",
        "To confirm that this address is yours, open this link:\n\n{link}\n\n"
        "It works once, until {until}. If you did not ask for it, do nothing.\n",
    ),
    ("password", "es"): Words(
        "Elige otra contraseña",
        "Alguien ha pedido otra contraseña para esta dirección. Para elegirla, abre este enlace:"
        "\n\n{link}\n\n"
        "Sirve una sola vez, hasta el {until}. Si no lo pediste, no hagas nada: tu contraseña"
        " sigue siendo la misma.\n",
    ),
    ("password", "en"): Words(
        "Choose another password",
        "Somebody asked for another password for this address. To choose it, open this link:"
        "\n\n{link}\n\n"
        "It works once, until {until}. If you did not ask for it, do nothing: your password"
        " stays as it is.\n",
    ),
}


def write(
    kind: Kind, language: Language, *, link: str, until: datetime, company: str = ""
) -> tuple[str, str]:
    """Write the subject and the text of a letter."""
    words = WORDS[kind, language]
    # Quotes of its own could end those that it stands in.
    name = one_line(company, NAME_LENGTH_MAX).translate(dict.fromkeys(map(ord, "«»“”"), "'"))
    given = {"company": name, "link": link, "until": f"{until:%Y-%m-%d %H:%M} UTC"}
    return words.subject.format(**given), words.text.format(**given)


def language_of(locale: str | None) -> Language:
    """Choose the language for a company; one that has not said is of where Spanish is spoken."""
    return "es" if locale is None or locale.startswith("es") else "en"
