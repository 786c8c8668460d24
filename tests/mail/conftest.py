"""Companies that write letters, and a mail server that behaves as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from msgspec.structs import replace

from adapters.embedded.servers import Urls
from adapters.mail.posting import Post, letter_readers
from adapters.mail.smtp import SmtpMailer, read_server
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import EVERYTHING, Context, build
from application.mail import Letter, Mailer
from domain.access import OWNER, InvitationId, InviteMember
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command
from domain.tenants import CreateTenant

SECONDS_MAX = 20.0
SENDER = "Books <books@company.example>"


class MailServer:
    """Takes letters, or says what it is told to say of the next ones."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.says: list[str] = []
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - the library's name.
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        if self.says:
            return self.says.pop(0).format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as above.
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def letters(self) -> list[EmailMessage]:
        return [read(each.content) for each in self.envelopes]

    def mailer(self, seconds_max: float = 5.0) -> SmtpMailer:
        return SmtpMailer(read_server(f"smtp+plain://127.0.0.1:{self.port}"), SENDER, seconds_max)


def read(content: bytes | str | None) -> EmailMessage:
    assert isinstance(content, bytes)
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SECONDS_MAX):
        while not true():  # noqa: ASYNC110 - nobody here tells.
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    handler: MailServer,
    *,
    asks_for_login: bool = False,
    tls: ssl.SSLContext | None = None,
    from_the_start: bool = False,
) -> AsyncIterator[MailServer]:
    """Run a mail server on a port of its own."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.test",
            auth_required=asks_for_login,
            auth_require_tls=False,
            tls_context=None if from_the_start else tls,
        )

    server = await loop.create_server(
        protocol, "127.0.0.1", handler.port, ssl=tls if from_the_start else None
    )
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(scope="module")
def settings(database: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings by which passwords cost little."""
    return Settings(
        database_url=database.database_url,
        database_admin_url=database.admin_database_url,
        redis_url=database.redis_url,
        asiento_data=tmp_path_factory.mktemp("data"),
        password_kib=7_168,
        password_passes=1,
    )


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with serving(MailServer()) as server:
        yield server


class Kept:
    """Keeps letters, as a mailbox does."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    def tokens(self, to: str) -> list[str]:
        """Copy what opens the links of the letters to an address."""
        texts = [each.text for each in self.letters if each.to == to]
        return [text.partition("token=")[2].split()[0] for text in texts]


class Company:
    """A company that invites people, and what sends its letters."""

    def __init__(self, runtime: Runtime, tenant: TenantId) -> None:
        self.runtime = runtime
        self.tenant = tenant
        self.context = Context(
            tenant=tenant,
            actor="user:ana",
            permissions=frozenset({EVERYTHING}),
            correlation_id="request-1",
        )

    async def execute(self, command: type[Command], **given: object) -> dict[str, str]:
        built = build(command, given, self.runtime.clock)
        return (await self.runtime.bus.execute(built, self.context)).ids

    async def invite(self, email: str, **given: object) -> InvitationId:
        asked = {"email": email, "roles": [OWNER], **given}
        return InvitationId((await self.execute(InviteMember, **asked))["invitation"])

    async def letter(self) -> Kept:
        """Send what is to be sent, into one box."""
        box = Kept()
        with self.posting(box) as office:
            await office.send()
        return box

    async def token(self, to: str) -> str:
        """Send what is to be sent, and copy what opens the link of the letter to an address."""
        (token,) = (await self.letter()).tokens(to)
        return token

    @contextmanager
    def posting(self, mailer: Mailer, pauses: str = "0.01,0.01") -> Iterator["Office"]:
        quick = replace(self.runtime.settings, mail_retry_seconds=pauses)
        yield Office(replace(self.runtime, settings=quick), mailer)


class Office:
    """A process that sends letters when the test says so."""

    def __init__(self, runtime: Runtime, mailer: Mailer) -> None:
        self.post = Post(runtime, mailer)
        tenants, system = letter_readers(self.post, runtime)
        self._projector = Projector(runtime.pool, runtime.vault, [tenants], [system])

    async def read(self) -> None:
        """Hand over what is new in the logs, and go past what was sent."""
        await self._projector.catch_up()

    async def send(self) -> None:
        """Send what there is."""
        await self.read()
        await self.post.settle()
        await self.read()


@pytest.fixture
async def company(runtime: Runtime) -> Company:
    """Open the books of a company."""
    slug = f"c-{uuid4().hex[:12]}"
    created = build(CreateTenant, {"slug": slug, "name": "Núñez", "country": "ES"}, runtime.clock)
    operator = Context(
        tenant=SYSTEM_TENANT, actor="system", permissions=frozenset("*"), correlation_id="test"
    )
    done = await runtime.bus.execute(created, operator)
    return Company(runtime, TenantId(done.ids["tenant"]))
