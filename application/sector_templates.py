"""The sector templates there are. A version is never edited once it is released: more is added.

A step says since which version of its template it is there.
"""

from typing import Final

from msgspec import Struct

from domain.fields import AddCustomField, ConfigureField, EntityName, FieldType
from domain.kernel import Command
from domain.modules import ConfigureModule, DisableModule, EnableModule, ModuleName
from domain.sectors import TemplateName

INVOICE: Final = EntityName("invoicing.invoice")
INVOICING, IMPORTS = ModuleName("invoicing"), ModuleName("imports")
WEBHOOKS: Final = ModuleName("webhooks")


class Step(Struct, frozen=True, kw_only=True):
    """An ordinary command, and the version of the template that brought it."""

    command: Command
    since: int = 1


class SectorTemplate(Struct, frozen=True, kw_only=True):
    """What companies of one sector usually want."""

    name: TemplateName
    title: str
    steps: tuple[Step, ...]

    @property
    def version(self) -> int:
        return max(step.since for step in self.steps)


def _series(*codes: str) -> Step:
    return Step(command=ConfigureModule(module=INVOICING, settings={"series": list(codes)}))


def _field(name: str, kind: FieldType, label: str, *choices: str) -> Step:
    return Step(
        command=AddCustomField(entity=INVOICE, field=name, type=kind, label=label, choices=choices)
    )


def _rule(
    name: str, *, hidden: bool = False, required: bool = False, default: str | None = None
) -> Step:
    return Step(
        command=ConfigureField(
            entity=INVOICE, field=name, hidden=hidden, required=required, default=default
        )
    )


def _on(module: ModuleName) -> Step:
    return Step(command=EnableModule(module=module))


def _off(module: ModuleName) -> Step:
    return Step(command=DisableModule(module=module))


SHOP: Final = SectorTemplate(
    name=TemplateName("shop"),
    title="A shop: receipts and invoices in series of their own, paid at once.",
    steps=(
        _on(INVOICING),
        _on(IMPORTS),
        _off(WEBHOOKS),
        _series("T", "F", "R"),
        _field("paid_by", "choice", "Paid by", "cash", "card", "transfer"),
        _rule("custom.paid_by", default="cash"),
        _field("till", "text", "Till"),
    ),
)
BAKERY: Final = SectorTemplate(
    name=TemplateName("bakery"),
    title="A bakery: orders for a day, and the lot that they were baked in.",
    steps=(
        _on(INVOICING),
        _on(IMPORTS),
        _off(WEBHOOKS),
        _series("T", "F", "R"),
        _field("pick_up_on", "date", "Pick-up on"),
        _field("lot", "text", "Lot"),
        _field("allergens_told", "boolean", "Allergens told"),
    ),
)
WORKSHOP: Final = SectorTemplate(
    name=TemplateName("workshop"),
    title="A workshop: each invoice is for a job on something that a customer brought.",
    steps=(
        _on(INVOICING),
        _on(IMPORTS),
        _off(WEBHOOKS),
        _series("F", "R"),
        _rule("customer", required=True),
        _field("job_number", "text", "Job"),
        _rule("custom.job_number", required=True),
        _field("number_plate", "text", "Number plate or serial number"),
        _field("kilometres", "number", "Kilometres"),
        _field("warranty_until", "date", "Warranty until"),
    ),
)
SERVICES: Final = SectorTemplate(
    name=TemplateName("services"),
    title="Services: hours and projects are billed to customers who are known.",
    steps=(
        _on(INVOICING),
        _off(IMPORTS),
        _on(WEBHOOKS),
        _series("F", "R"),
        _rule("customer", required=True),
        _rule("customer.tax_id", required=True),
        _rule("lines.item", hidden=True),
        _field("project", "text", "Project"),
        _field("period", "text", "Period"),
        _field("purchase_order", "text", "Purchase order"),
    ),
)
WHOLESALE: Final = SectorTemplate(
    name=TemplateName("wholesale"),
    title="Wholesale: every line is an article, every invoice has a customer and a delivery.",
    steps=(
        _on(INVOICING),
        _on(IMPORTS),
        _on(WEBHOOKS),
        _series("F", "R", "X"),
        _rule("customer", required=True),
        _rule("customer.tax_id", required=True),
        _rule("lines.item", required=True),
        _field("delivery_note", "text", "Delivery note"),
        _field("route", "text", "Route"),
        _field("incoterm", "choice", "Incoterm", "EXW", "FCA", "CPT", "DAP", "DDP"),
    ),
)
TEMPLATES: Final = (SHOP, BAKERY, WORKSHOP, SERVICES, WHOLESALE)
