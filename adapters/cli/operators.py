"""`asiento operator`: the people who answer for the instance, and for no company in it."""

from msgspec import Struct

from adapters.accounts.accounts import account_of, find_account
from adapters.cli.members import enrolled
from adapters.cli.output import Result, Table
from adapters.cli.session import operator, with_runtime
from adapters.runtime import Runtime
from application.errors import NotFound
from application.kernel import Outcome, build
from domain.access import UserId
from domain.ids import SYSTEM_TENANT
from domain.kernel import Command
from domain.operators import AppointOperator, DismissOperator, Operators


class Appointed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who is an operator now; a password, where the person is new here."""

    operator: str
    email: str
    position: int
    password: str | None = None


class ListedOperator(Struct, frozen=True, kw_only=True):
    operator: str
    email: str


def appoint(email: str, /) -> Result:
    """Let a person answer for the instance. Who is new here gets a password, shown once."""

    async def work(runtime: Runtime) -> Appointed:
        user, password = await enrolled(runtime, SYSTEM_TENANT, email)
        done = await _do(runtime, AppointOperator, user)
        return Appointed(operator=user, email=email, position=done.position, password=password)

    found = with_runtime(work)
    said = [f"{found.email} is an operator now, and logs in for the tenant {SYSTEM_TENANT}."]
    if found.password:
        said.append(f"Password: {found.password}\nIt is not shown again.")
    return Result(document=found, people=tuple(said))


def dismiss(email: str, /) -> Result:
    """Let a person answer for the instance no more."""

    async def work(runtime: Runtime) -> Outcome:
        known = await account_of(runtime, email)
        if known is None:
            raise NotFound(
                "access.user_absent",
                f"{email} has no account.",
                hint="Mend the address; `asiento operator list` shows the operators.",
            )
        return await _do(runtime, DismissOperator, known[0])

    done = with_runtime(work)
    document = {"email": email, "position": done.position}
    return Result(document=document, people=(f"{email} is no operator.",))


def list_all() -> Result:
    """List the people who answer for the instance."""

    async def work(runtime: Runtime) -> list[ListedOperator]:
        people = sorted((await runtime.bus.fold(SYSTEM_TENANT, Operators.all())).people)
        accounts = {each: await find_account(runtime, UserId(each)) for each in people}
        return [ListedOperator(operator=each, email=accounts[each].email) for each in people]

    found = with_runtime(work)
    rows = [(each.operator, each.email) for each in found]
    return Result(document=found, people=(Table(("OPERATOR", "EMAIL"), rows),))


async def _do(runtime: Runtime, command: type[Command], person: str) -> Outcome:
    asked = build(command, {"operator": person}, runtime.clock)
    return await runtime.bus.execute(asked, operator(SYSTEM_TENANT))
