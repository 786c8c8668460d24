"""Columns of a file for the fields that a company added: by their name, or what it calls them.

They are read beside the columns of the layout, by the fields there are when the rows are.
"""

from collections.abc import Sequence

from msgspec import Struct

from application.jobs import Task
from domain.fields import CUSTOM, Added, EntityName, Fields, checked
from domain.imports import ImportBatch
from domain.imports.cells import RowError, read_date
from domain.imports.columns import Layout, normalised
from domain.kernel import Refused

INVOICE = EntityName("invoicing.invoice")
YES = frozenset({"true", "yes", "sí", "si", "1", "x"})
NO = frozenset({"false", "no", "0"})


class CustomColumns(Struct, frozen=True):
    """The places of such fields in the rows of one file."""

    layout: Layout
    places: tuple[tuple[str, Added, int], ...]

    def read(self, cells: Sequence[str]) -> dict[str, object] | None:
        """Understand the cells of one row; None where there is nothing in them.

        Raises:
            RowError: The first cell that is not of the type of its field.

        """
        found: dict[str, object] = {}
        for name, added, place in self.places:
            cell = cells[place].strip() if place < len(cells) else ""
            if cell:
                found[name] = self._value(name, added, cell)
        return found or None

    def _value(self, name: str, added: Added, cell: str) -> object:
        try:
            return checked(CUSTOM + name, added, self._plain(added, cell))
        except Refused as refusal:
            raise RowError("fields.bad_value", CUSTOM + name, cell, refusal.message) from None

    def _plain(self, added: Added, cell: str) -> object:
        """Write a cell as the field has it, where files have it otherwise."""
        match added.type:
            case "boolean":
                return cell.lower() in YES if cell.lower() in YES | NO else cell
            case "number" if self.layout.decimal_mark == ",":
                return cell.replace(".", "").replace(",", ".")
            case "date":
                found = read_date(cell, month_first=self.layout.date_order == "month-day")
                return found.isoformat() if found else cell
        return cell


async def custom_columns(task: Task, batch: ImportBatch, layout: Layout) -> CustomColumns:
    """Find the columns of a batch that are fields of the company's own."""
    added = (await task.fold(Fields.own())).of(INVOICE).added
    names = {
        normalised(alias): name
        for name, each in added.items()
        for alias in (each.label, name, CUSTOM + name)
        if alias
    }
    places: dict[str, int] = {}
    taken = set(layout.columns.values())
    for place, header in enumerate(batch.header):
        name = names.get(normalised(header))
        if name is not None and place not in taken:
            places.setdefault(name, place)
    return CustomColumns(layout, tuple((name, added[name], at) for name, at in places.items()))
