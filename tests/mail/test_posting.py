"""Letters that the log asks for go out, whatever the mail server says, and whoever is killed."""

import asyncio
from typing import LiteralString

from msgspec.structs import replace

from adapters.mail.folder import FolderMailer
from adapters.mail.opening import open_mailer
from adapters.mail.posting import LETTERS, READER
from adapters.mail.resending import Resending
from adapters.mail.smtp import SmtpMailer, read_server
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.projecting.standing import find_progress
from adapters.runtime import Runtime
from adapters.worker.readers import reader_names
from application.kernel import build
from application.mail import Letter, Mailer
from domain.access import ResendInvitation, WithdrawInvitation
from domain.ids import SYSTEM_TENANT
from domain.profiles import ChangeProfile
from domain.tenants import RenameTenant
from tests.mail.conftest import SENDER, Company, MailServer, read, until

DEAD: LiteralString = "SELECT reaction, code, message FROM dead_letter WHERE tenant_id = %s"
REWIND: LiteralString = (
    "UPDATE projection_cursor SET position = 0 WHERE tenant_id = %s AND projection = %s"
)
LUIS = "luis@books.example"


async def dead(company: Company) -> list[tuple[str, str, str]]:
    async with tenant_transaction(company.runtime.pool, company.tenant) as connection:
        return await (await connection.execute(DEAD, (company.tenant,))).fetchall()


async def lag(company: Company) -> int:
    found = await find_progress(company.runtime.pool, company.tenant)
    return next(each.lag for each in found if each.name == READER)


async def test_an_invitation_is_sent_once(company: Company, server: MailServer) -> None:
    await company.invite(LUIS)
    with company.posting(server.mailer()) as office:
        await office.send()
        await office.send()
    (letter,) = server.letters
    assert (letter["to"], letter["from"]) == (LUIS, SENDER)
    assert letter["subject"] == "Te invitan a «Núñez» en Asiento"
    assert "http://127.0.0.1:8000/invitation#token=" in letter.get_content()
    assert await lag(company) == 0


async def test_an_invitation_that_is_sent_again_is_another_letter_with_the_same_link(
    company: Company, server: MailServer
) -> None:
    invitation = await company.invite(LUIS)
    await company.execute(ResendInvitation, invitation=invitation, days=8)
    with company.posting(server.mailer()) as office:
        await office.send()
    first, second = sorted(server.letters, key=lambda each: str(each["message-id"]))
    assert first["message-id"] != second["message-id"]
    assert first.get_content() == second.get_content()


async def test_no_letter_goes_out_for_what_was_withdrawn(
    company: Company, server: MailServer
) -> None:
    invitation = await company.invite(LUIS)
    await company.execute(WithdrawInvitation, invitation=invitation)
    with company.posting(server.mailer()) as office:
        await office.send()
    assert server.letters == []
    assert await lag(company) == 0


async def test_letters_are_in_the_language_of_the_company(
    company: Company, server: MailServer
) -> None:
    await company.execute(ChangeProfile, locale="en-GB")
    await company.invite(LUIS)
    with company.posting(server.mailer()) as office:
        await office.send()
    assert server.letters[0]["subject"] == "You are invited to “Núñez” on Asiento"


async def test_what_a_company_calls_itself_begins_no_header_and_no_paragraph(
    company: Company, server: MailServer
) -> None:
    given = {"tenant": company.tenant, "name": "X\r\nBcc: all@books.example\n\nPay” here"}
    operator = replace(company.context, tenant=SYSTEM_TENANT)
    rename = build(RenameTenant, given, company.runtime.clock)
    await company.runtime.bus.execute(rename, operator)
    await company.invite(LUIS)
    with company.posting(server.mailer()) as office:
        await office.send()
    (letter,) = server.letters
    assert letter["bcc"] is None
    assert "«X Bcc: all@books.example Pay' here»" in letter.get_content()
    assert server.envelopes[0].rcpt_tos == [LUIS]


async def test_what_is_not_taken_now_is_tried_again(company: Company, server: MailServer) -> None:
    await company.invite(LUIS)
    server.says = ["451 Later, {address}.", "451 Later."]
    with company.posting(server.mailer()) as office:
        await office.send()
    assert len(server.letters) == 1
    assert await dead(company) == []


async def test_what_is_never_taken_is_a_dead_letter_that_names_nobody(
    company: Company, server: MailServer
) -> None:
    await company.invite(LUIS)
    await company.invite("ana@books.example")
    server.says = ["550 5.1.1 There is no {address}."]
    with company.posting(server.mailer()) as office:
        await office.send()
    assert len(server.letters) == 1
    (letter,) = await dead(company)
    assert letter[:2] == (LETTERS, "mail.refused")
    assert letter[2] == "The mail server does not take the letter: it said 550."
    assert await lag(company) == 0


async def test_a_dead_letter_is_sent_by_hand_once_the_server_takes_it(
    company: Company, server: MailServer
) -> None:
    await company.invite(LUIS)
    server.says = ["550 No."] * 2
    with company.posting(server.mailer()) as office:
        await office.send()
    pool, by_hand = company.runtime.pool, Resending(company.runtime, server.mailer())
    still = await by_hand.replay(pool, company.tenant, 1)
    assert still is not None
    assert await dead(company) == [(LETTERS, still.code, still.message)]
    assert await by_hand.replay(pool, company.tenant, 1) is None
    assert await dead(company) == []
    assert [each["to"] for each in server.letters] == [LUIS]


async def test_a_server_that_stays_away_makes_a_dead_letter_in_the_end(company: Company) -> None:
    await company.invite(LUIS)
    nobody = SmtpMailer(read_server("smtp+plain://127.0.0.1:1"), SENDER, 5.0)
    with company.posting(nobody) as office:
        await office.send()
    assert [code for _, code, _ in await dead(company)] == ["mail.unavailable"]
    assert await lag(company) == 0


async def test_while_one_letter_waits_the_others_go_out(
    company: Company, server: MailServer
) -> None:
    await company.invite(LUIS)
    await company.invite("ana@books.example")
    server.says = ["451 Later."]
    with company.posting(server.mailer(), pauses="30") as office:
        await office.read()
        await until(lambda: server.letters)
        await office.read()
        assert await lag(company) > 0
        await office.post.stop()


async def test_of_two_processes_one_sends(company: Company, server: MailServer) -> None:
    for number in range(5):
        await company.invite(f"p{number}@books.example")
    with company.posting(server.mailer()) as one, company.posting(server.mailer()) as other:
        await asyncio.gather(one.read(), other.read())
        await asyncio.gather(one.post.settle(), other.post.settle())
        await one.read()
    told = sorted(each["to"] for each in server.letters if each["to"] != LUIS)
    assert told == [f"p{number}@books.example" for number in range(5)]


async def test_what_was_sent_before_the_reader_went_on_is_not_sent_again(
    company: Company, server: MailServer
) -> None:
    await company.invite(LUIS)
    for _ in range(2):
        with company.posting(server.mailer()) as office:
            await office.send()
        async with tenant_transaction(company.runtime.pool, company.tenant) as connection:
            await connection.execute(REWIND, (company.tenant, READER))
    assert len(server.letters) == 1


class Dying:
    """Takes a letter to the server, and dies before it can say so."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def send(self, letter: Letter) -> None:
        await self._mailer.send(letter)
        await asyncio.Event().wait()


async def test_a_process_killed_after_it_sent_sends_the_same_letter_at_worst(
    company: Company, server: MailServer
) -> None:
    await company.invite(LUIS)
    with company.posting(Dying(server.mailer())) as killed:
        await killed.read()
        await until(lambda: server.letters)
        await killed.post.stop()
    with company.posting(server.mailer()) as office:
        await office.send()
    first, second = server.letters
    assert first["message-id"] == second["message-id"]
    assert first.get_content() == second.get_content()


async def test_a_process_that_is_stopped_leaves_its_letters_to_others(
    company: Company, server: MailServer
) -> None:
    await company.invite(LUIS)
    server.says = ["451 Later."]
    with company.posting(server.mailer(), pauses="30") as stopped:
        await stopped.read()
        await until(lambda: not server.says)
        await stopped.post.stop()
    with company.posting(server.mailer()) as office:
        await office.send()
    assert len(server.letters) == 1


class Broken:
    """Meets an error of ours."""

    async def send(self, letter: Letter) -> None:
        raise ZeroDivisionError(letter.to)


async def test_a_bug_costs_its_letter_and_no_other(company: Company, server: MailServer) -> None:
    await company.invite(LUIS)
    with company.posting(Broken()) as office:
        await office.send()
    ((_, code, message),) = await dead(company)
    assert (code, LUIS in message) == ("mail.crashed", False)
    await company.invite(LUIS)
    with company.posting(server.mailer()) as office:
        await office.send()
    assert len(server.letters) == 1


async def test_what_opens_a_link_is_in_no_log(company: Company, server: MailServer) -> None:
    await company.invite(LUIS)
    with company.posting(server.mailer()) as office:
        await office.send()
    token = server.letters[0].get_content().partition("token=")[2].partition("\n")[0].strip()
    proof = token.rpartition(".")[2]
    store = company.runtime.store
    for tenant in (company.tenant, SYSTEM_TENANT):
        assert [s async for s in store.read(tenant) if proof in s.data + "".join(s.tags)] == []


async def test_without_a_server_letters_lie_in_a_folder(company: Company) -> None:
    mailer = open_mailer(company.runtime.settings)
    assert isinstance(mailer, FolderMailer)
    await company.invite(LUIS)
    with company.posting(mailer) as office:
        await office.send()
    found = [
        (path, read(path.read_bytes()))
        for path in (company.runtime.settings.data / "mail").glob("*.eml")
    ]
    ((path, letter),) = found
    assert letter["to"] == LUIS
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_server_that_is_set_is_used(runtime: Runtime) -> None:
    assert isinstance(
        open_mailer(replace(runtime.settings, smtp_url="smtp://mail.example")), SmtpMailer
    )


def test_operators_see_how_far_letters_are() -> None:
    assert all(READER in names for names in reader_names())
