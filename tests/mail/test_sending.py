"""Letters by SMTP: what the server says decides, and no header holds what is not ours."""

import asyncio
import ssl
from pathlib import Path

import pytest

from adapters.mail.messages import message_of
from adapters.mail.smtp import SmtpMailer, read_server
from adapters.settings import Settings, load_settings
from application.errors import Malformed, Unavailable
from application.mail import SUBJECT_LENGTH_MAX, Letter
from domain.kernel import Refused
from tests.mail.conftest import SENDER, MailServer, serving
from tests.webhooks.test_failing import self_signed

LETTER = Letter(
    id="l1", to="luis@books.example", subject="Añil", text="Abre: https://a.example/#x\n"
)


async def test_a_letter_arrives_as_it_was_written(server: MailServer) -> None:
    await server.mailer().send(LETTER)
    (letter,) = server.letters
    assert (letter["subject"], letter["message-id"]) == ("Añil", "<l1@company.example>")
    assert letter["auto-submitted"] == "auto-generated"
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().replace("\r\n", "\n") == LETTER.text


async def test_a_host_of_any_letters_is_written_to(server: MailServer) -> None:
    await server.mailer().send(_to("luis@peñalara.example"))
    assert server.envelopes[0].rcpt_tos == ["luis@xn--pealara-5za.example"]


@pytest.mark.parametrize("says", ["421 Busy", "450 {address} is busy", "451 Later", "452 Full"])
async def test_later_is_later(server: MailServer, says: str) -> None:
    server.says = [says]
    with pytest.raises(Unavailable) as refused:
        await server.mailer().send(LETTER)
    assert refused.value.code == "mail.unavailable"
    assert LETTER.to not in refused.value.message


@pytest.mark.parametrize("says", ["550 There is no {address}", "552 Too large", "554 No"])
async def test_never_is_never(server: MailServer, says: str) -> None:
    server.says = [says]
    with pytest.raises(Refused) as refused:
        await server.mailer().send(LETTER)
    assert refused.value.code == "mail.refused"
    assert LETTER.to not in str(refused.value)


async def test_a_letter_is_not_taken_where_names_are_of_other_letters(server: MailServer) -> None:
    with pytest.raises(Refused, match="does not take"):
        await server.mailer().send(_to("ñandú@books.example"))


async def test_nothing_is_sent_where_encryption_is_not_to_be_had(server: MailServer) -> None:
    for scheme in ("smtp", "smtps"):
        named = read_server(f"{scheme}://127.0.0.1:{server.port}")
        with pytest.raises(Unavailable):
            await SmtpMailer(named, SENDER, 2.0).send(LETTER)
    assert server.envelopes == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_letters_go_encrypted_to_whom_a_certificate_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    certificate = self_signed(tmp_path / "certificate.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with serving(MailServer(), tls=tls, from_the_start=scheme == "smtps") as server:
        named = read_server(f"{scheme}://localhost:{server.port}")
        with pytest.raises(Unavailable):  # Nobody vouches for it yet.
            await SmtpMailer(named, SENDER, 5.0).send(LETTER)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await SmtpMailer(named, SENDER, 5.0).send(LETTER)
    assert [each["to"] for each in server.letters] == [LETTER.to]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # There is nothing here to be read.
async def test_a_server_that_asks_for_a_login_first_takes_letters_later() -> None:
    async with serving(MailServer(), asks_for_login=True) as server:
        with pytest.raises(Unavailable):
            await server.mailer().send(LETTER)


async def test_a_server_that_says_nothing_is_waited_for_within_bounds() -> None:
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    mailer = SmtpMailer(read_server(f"smtp+plain://127.0.0.1:{port}"), SENDER, 0.1)
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await mailer.send(LETTER)
    silent.close()


@pytest.mark.parametrize(
    "address",
    [
        "luis",
        "luis@books.example\r\nBcc: all@books.example",
        "luis@books.example\nDATA",
        "luis@books.example, all@books.example",
        "Luis <luis@books.example>",
        '"luis x"@books.example',
        "luis@books.example>",
        "luis@.example",
        "luis@\x00",
        "@books.example",
    ],
)
def test_no_address_writes_a_header(address: str) -> None:
    with pytest.raises(Refused) as refused:
        message_of(_to(address), SENDER)
    assert refused.value.code == "mail.bad_address"
    assert address not in str(refused.value)


@pytest.mark.parametrize(
    "subject",
    ["a\r\nBcc: x@y.example", "a\nb", "a\x0bb\x0cc\x85d\u2028e", "\x1b[31ma", "ñ" * 500],
    ids=["header", "line", "separators", "escape", "long"],
)
def test_a_subject_is_one_line(subject: str) -> None:
    letter = Letter(id="l1", to=LETTER.to, subject=subject, text="x")
    message = message_of(letter, SENDER)
    assert message["bcc"] is None
    assert str(message["subject"]).isprintable()
    assert len(str(message["subject"])) <= SUBJECT_LENGTH_MAX
    assert b"\r\nBcc" not in message.as_bytes()


def test_a_letter_does_not_show_itself() -> None:
    assert repr(LETTER) == "Letter('l1')"


def test_a_server_is_named_by_its_address() -> None:
    named = read_server("smtp://ana%40x:p%3Aq@mail.example")
    assert (named.host, named.port, named.user, named.password) == (
        "mail.example",
        587,
        "ana@x",
        "p:q",
    )
    assert repr(named) == "Server(mail.example:587)"
    assert read_server("smtps://mail.example").port == 465


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://mail.example", "smtp://", "smtp://x:99999999", "smtp+plain://a:b@x"],
)
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(Malformed) as refused:
        read_server(url)
    assert refused.value.code == "settings.bad_mail_server"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "mail.example"),
        ("MAIL_FROM", "Books"),
        ("MAIL_RETRY_SECONDS", "soon"),
        ("PUBLIC_URL", "books.example"),
    ],
)
def test_settings_of_letters_are_checked_when_they_are_read(name: str, value: str) -> None:
    with pytest.raises(Malformed, match=name):
        load_settings({name: value})


def test_settings_of_letters_are_taken() -> None:
    given = {"SMTP_URL": "smtp://a:b@mail.example:2525", "MAIL_FROM": SENDER}
    assert load_settings(given).mail_from == SENDER
    assert Settings().smtp_url is None


def _to(address: str) -> Letter:
    return Letter(id="l1", to=address, subject="x", text="x")
