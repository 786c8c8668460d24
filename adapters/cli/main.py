"""`asiento`: the table of contents of the CLI. A command's module is imported when it runs.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 a server can't be reached.
"""

import gc
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from cyclopts import App, Group

from adapters.cli.output import MISUSED, Failure, Result, forget_stdout, show, show_failure

JSON_FLAG: Final = "--json"
INTERRUPTED: Final = 130
GC_OBJECTS: Final = 100_000
EPILOGUE: Final = (
    "With --json, any command gives one JSON document on stdout and nothing else there. "
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 a server can't be reached."
)
COMMANDS: Final = {
    "up": ("processes:up", "Run everything on this machine, in the foreground."),
    "api": ("processes:api", "Serve GraphQL, REST and their documentation."),
    "projector": ("processes:projector", "Fold events into read models."),
    "worker": ("processes:worker", "Work on jobs."),
    "scheduler": ("processes:scheduler", "Queue again what was lost."),
    "migrate": ("upkeep:migrate", "Bring the database to this version."),
    "settings": ("upkeep:settings", "List every setting, its meaning and its source."),
    "health": ("health:health", "Tell whether everything answers and keeps up."),
    "events": ("events:events", "Write the log of a tenant as JSON lines."),
    "import": ("imports:import_file", "Take a file through all steps into the books."),
    "demo": ("demo:demo", "Import, watch, query and verify generated invoices."),
}
GROUPS: Final = {
    "tenant": (
        "Companies on the system.",
        {
            "create": ("tenants:create", "Open the books of a company."),
            "list": ("tenants:list_all", "The companies there are."),
            "rename": ("tenant_states:rename", "Call a company something else."),
            "suspend": ("tenant_states:suspend", "Let a company change nothing for now."),
            "resume": ("tenant_states:resume", "Let a suspended company go on."),
            "profile": ("tenant_states:profile", "Who a company is for the law."),
            "template": ("templates:template", "What companies of a sector usually want."),
            "close": ("archives:close", "Close the books, and archive them in one file."),
            "remove": ("archives:remove", "Delete a closed company that is archived."),
            "restore": ("archives:restore", "Bring a company back from its archive."),
        },
    ),
    "operator": (
        "Who answers for the instance.",
        {
            "appoint": ("operators:appoint", "Let a person answer for the instance."),
            "dismiss": ("operators:dismiss", "Let a person answer for it no more."),
            "list": ("operators:list_all", "The people who answer for the instance."),
        },
    ),
    "member": (
        "Who may act for a company.",
        {
            "add": ("members:add", "Let a person act for a company."),
            "invite": ("invitations:invite", "Ask a person by letter to act for a company."),
            "invitations": ("invitations:list_all", "Who was invited, and what became of it."),
            "resend": ("invitations:resend", "Send the letter of an invitation once more."),
            "withdraw": ("invitations:withdraw", "Let nobody in by an invitation."),
            "list": ("members:list_all", "Who may act for a company, and by which roles."),
            "change": ("members:change", "Give a member these roles, and no others."),
            "remove": ("members:remove", "Let a person act for a company no longer."),
        },
    ),
    "user": (
        "People who log in.",
        {
            "password": ("users:password", "Give a person a new password."),
            "reset-factors": ("factors:reset", "Take all second factors from a person."),
            "breached": ("users:breached", "Write the passwords that nobody may choose."),
        },
    ),
    "role": (
        "What members of a company may do.",
        {
            "list": ("members:roles", "The roles that there are."),
            "define": ("members:define", "Name a set of permissions."),
            "retire": ("members:retire", "Take a role from all who have it."),
        },
    ),
    "key": (
        "API keys, by which programs act for a company.",
        {
            "create": ("keys:create", "Let a program act for a company."),
            "list": ("keys:list_all", "The keys there are, and when each was used last."),
            "rotate": ("keys:rotate", "Give a key a new secret."),
            "revoke": ("keys:revoke", "Lock a program out, for ever."),
        },
    ),
    "service-account": (
        "Members of a company that are programs.",
        {
            "add": ("service_accounts:add", "Let a program act for a company, by roles."),
            "list": ("service_accounts:list_all", "The programs that act by roles."),
            "change": ("service_accounts:change", "Give a program other roles."),
            "suspend": ("service_accounts:suspend", "Let its keys open nothing for now."),
            "resume": ("service_accounts:resume", "Let its keys open what its roles hold."),
        },
    ),
    "security": (
        "What happened at the door of a company.",
        {"list": ("security:list_all", "Logins, failures, refusals, and who was given what.")},
    ),
    "module": (
        "Parts of the product that a company has on or off.",
        {
            "list": ("modules:list_all", "The modules there are, and what the company decided."),
            "enable": ("modules:enable", "Switch a module on."),
            "disable": ("modules:disable", "Switch a module off; its data stay readable."),
            "configure": ("modules:configure", "Change settings of a module."),
        },
    ),
    "audit": (
        "The proof that nothing was changed.",
        {
            "verify": ("audit:verify", "Recompute the hash chain of a log, or of an export."),
            "export": ("audit:export", "Write a log into one file that proves itself."),
            "replay": ("replays:replay", "Look at the read models of an export."),
            "anchor": ("anchors:anchor", "Sign the heads of all logs."),
            "anchors": ("anchors:anchors", "List the anchors there are."),
            "anchor-key": ("anchors:anchor_key", "Print the public key of anchors."),
            "check-anchor": ("anchors:check_anchor", "Check an anchor and its timestamp."),
            "explain": ("history:explain", "Say why a row is what it is, event by event."),
        },
    ),
    "personal": (
        "Personal data: whose there is, and that it can be forgotten.",
        {
            "list": ("privacy:list_all", "Whose personal data is sealed, and who is forgotten."),
            "forget": ("privacy:forget", "Forget what is sealed about a person, for ever."),
            "rotate": ("privacy:rotate", "Wrap the keys with a new master key."),
        },
    ),
    "credentials": (
        "What opens the systems outside.",
        {
            "list": ("credentials:list_all", "The credentials there are, and which expire."),
            "store": ("credentials:store", "Keep a secret under a name."),
            "rotate": ("credentials:rotate", "Put a new secret in the place of the former."),
            "revoke": ("credentials:revoke", "Let a credential open nothing more."),
        },
    ),
    "token": (
        "Access tokens for the systems outside.",
        {"get": ("credentials:get_token", "Print a token that is good for a while yet.")},
    ),
    "webhooks": (
        "Addresses outside that are sent what happens.",
        {
            "list": ("webhooks:list_all", "The endpoints, and how far each has come."),
            "dead-letters": ("webhooks:dead_letters", "What an endpoint never took."),
        },
    ),
    "projections": (
        "Read models: how far they are, and making them anew.",
        {
            "list": ("projection_states:list_all", "How far each projection is, by tenant."),
            "retry": ("projection_states:retry", "Let one that failed try its event again."),
            "skip": ("projection_states:skip", "Leave the event out that one failed at."),
            "unskip": ("projection_states:unskip", "Leave an event out no more."),
            "rebuild": ("projections:rebuild", "Fold a read model anew from its events."),
            "status": ("projections:status", "How far rebuilds are, and what came of them."),
            "abort": ("projections:abort", "Break off a rebuild; the old rows go on serving."),
            "swap-back": ("projections:swap_back", "Let the rows from before a rebuild serve."),
            "drop-old": ("projections:drop_old", "Drop the rows from before a rebuild."),
            "diff": ("projection_diff:diff", "Which rows changed between two moments."),
            "versions": ("projections_versions:versions", "The versions of read models there are."),
            "drop": ("projections_versions:drop", "Remove a version that nothing reads any more."),
        },
    ),
    "reactions": (
        "What events lead to by themselves.",
        {
            "list": ("reactions:list_all", "The reactions there are, and how far they are."),
            "dead": ("reactions:dead", "The events whose command was refused."),
            "replay": ("reactions:replay", "Run the commands of refused events again."),
        },
    ),
}


def main() -> None:
    """Run the command line and exit."""
    # Importing makes objects by the hundred thousand, and they stay: to look for cycles among
    # them every 700 is a seventh of the start, and to look at the end is as much again.
    gc.set_threshold(GC_OBJECTS)
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    as_json = JSON_FLAG in arguments
    tokens = [each for each in arguments if each != JSON_FLAG]
    if (not tokens and as_json) or (len(tokens) == 1 and tokens[0] in GROUPS):
        return show_failure(_incomplete(tokens), as_json=as_json)
    try:
        answer: Result | int | None = make_app(tokens)(
            tokens, exit_on_error=False, print_error=False
        )
        return show(answer, as_json=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        forget_stdout()
        return 0
    except Exception as error:
        # What can be told apart here needs the libraries that raise it.
        from adapters.cli.failures import failure_of  # noqa: PLC0415
        from adapters.cli.reaching import with_names  # noqa: PLC0415

        failure = failure_of(error)
        if failure is None:
            raise
        return show_failure(with_names(failure), as_json=as_json)


def _incomplete(tokens: Sequence[str]) -> Failure:
    """Ask for the command that is missing."""
    there = GROUPS[tokens[0]][1] if tokens else {**COMMANDS, **GROUPS}
    return Failure(
        code="usage",
        message=f"`{' '.join(['asiento', *tokens])}` takes a command: {', '.join(there)}.",
        hint="Behind any of them, --help says more.",
        exit_code=MISUSED,
    )


def make_app(tokens: Sequence[str] = ()) -> App:
    """Describe the commands that *tokens* may name."""
    app = App(
        name="asiento",
        help="The back office of small and medium companies, as a ledger of events.",
        help_epilogue=EPILOGUE,
        version=lambda: version("asiento"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, (path, purpose) in COMMANDS.items():
        app.command(f"adapters.cli.{path}", name=name, help=purpose)
    for group, (purpose, commands) in GROUPS.items():
        app.command(member := App(name=group, help=purpose))
        for name, (path, its_purpose) in commands.items():
            member.command(f"adapters.cli.{path}", name=name, help=its_purpose)
    if not tokens or tokens[0] not in {*COMMANDS, *GROUPS}:
        _add_derived(app)
    return app


def _add_derived(app: App) -> None:
    """Add every command of the application that has a route, under its own name."""
    # It imports every module of the application, which a process need not wait for.
    from application.kernel import exposed_commands  # noqa: PLC0415

    group = Group("Commands of the business", sort_key=1)
    for exposed in exposed_commands().values():
        name = exposed.command.__name__
        if exposed.route is not None:
            purpose = (exposed.command.__doc__ or "").partition("\n")[0]
            path = f"adapters.cli.derived:{name}"
            app.command(path, name=kebab(name), help=purpose, group=group)


def kebab(name: str) -> str:
    """Write ``DraftInvoice`` as ``draft-invoice``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


if __name__ == "__main__":
    main()
