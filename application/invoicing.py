"""Invoicing as the world may call it, and what a company may allow of it."""

from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from application.branches import check_branch
from application.kernel import Exposed, Looking
from application.modules import Entity, Module
from application.scopes import maker_of
from domain.fields import EntityName
from domain.invoicing import DraftInvoice, Invoice, IssueInvoice, RecordInvoice, SeriesText
from domain.kernel import Command, Refused
from domain.modules import ModuleName
from domain.money import CurrencyCode

ALLOWED_MAX: Final = 100

D = TypeVar("D", bound=DraftInvoice | RecordInvoice)


async def _with_its_maker(looking: Looking, command: D) -> D:
    """See that its branch is there, and tell the rule who makes it."""
    await check_branch(looking, command.branch)
    maker = maker_of(looking.caller)
    return command if maker is None else replace(command, made_by=maker)


COMMANDS = (
    Exposed(
        command=DraftInvoice,
        permission="invoicing.invoice.draft",
        route="POST /invoices",
        find=_with_its_maker,
        entity=Invoice,
    ),
    Exposed(
        command=IssueInvoice,
        permission="invoicing.invoice.issue",
        route="POST /invoices/{invoice}/issue",
        entity=Invoice,
    ),
    Exposed(
        command=RecordInvoice,
        permission="invoicing.invoice.record",
        route="POST /invoices/recorded",
        find=_with_its_maker,
        entity=Invoice,
    ),
)


class InvoicingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What invoices that are made here may be. Those of elsewhere are recorded as they are."""

    series: Annotated[
        tuple[SeriesText, ...],
        Meta(max_length=ALLOWED_MAX, description="The series to issue in; none named: any."),
    ] = ()
    currencies: Annotated[
        tuple[CurrencyCode, ...],
        Meta(max_length=ALLOWED_MAX, description="The currencies to bill in; none named: any."),
    ] = ()


def check_allowed(settings: InvoicingSettings, command: Command) -> None:
    """Hold an invoice to what its company allows.

    Raises:
        Refused: Its series or its currency is not among those allowed.

    """
    match command:
        case IssueInvoice(series=series) if settings.series and series not in settings.series:
            raise Refused(
                "invoicing.series_not_allowed",
                f"Invoices are issued in {', '.join(settings.series)}, not in {series}.",
                hint="Name one of these series, or change the settings of the module.",
            )
        case DraftInvoice(currency=currency) if (
            settings.currencies and currency not in settings.currencies
        ):
            raise Refused(
                "invoicing.currency_not_allowed",
                f"Invoices are in {', '.join(settings.currencies)}, not in {currency}.",
                hint="Name one of these currencies, or change the settings of the module.",
            )


MODULE = Module(
    name=ModuleName("invoicing"),
    title="Invoices: drafts, numbers without a gap, credit notes.",
    settings=InvoicingSettings,
    check=check_allowed,
    entities=(
        Entity(
            name=EntityName("invoicing.invoice"),
            made_by=(DraftInvoice,),
            taken_by=(RecordInvoice,),
            fields={
                "customer": None,
                "customer.name": "text",
                "customer.country": "text",
                "customer.tax_id": "text",
                "lines.item": "text",
            },
        ),
    ),
)
