"""The peer: django-import-export, set to be as fast as it can be, into one flat table.

Usage: ``python -m benchmarks.peer_django FILE DATABASE_URL SCHEMA``. It has the easiest form
of the work: no staging, no rules, no documents, no history; a row is a row. The time runs
from opening the file to the last commit; starting Python and Django isn't in it.
"""

import gzip
import sys
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import django
import msgspec
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict
from tablib import Dataset

from benchmarks.support.sources import fields_of

BATCH_ROWS: Final = 1000


def main(path: Path, database_url: str, schema: str) -> None:
    """Print how many rows were committed in how many seconds."""
    _configure(database_url, schema)
    fields = fields_of(path)
    model = _model(list(fields.values()))
    resource = _resource(model, fields)
    from django.db import connection  # noqa: PLC0415 - Only after the settings are there.

    with connection.schema_editor() as editor:
        editor.create_model(model)
    started = perf_counter()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        dataset = Dataset().load(stream, format="csv")
    resource.import_data(dataset, raise_errors=True, use_transactions=True)
    seconds = perf_counter() - started
    rows = model.objects.count()
    with connection.schema_editor() as editor:
        editor.delete_model(model)
    print(msgspec.json.encode({"rows": rows, "seconds": seconds}).decode())


def _configure(database_url: str, schema: str) -> None:
    target = conninfo_to_dict(database_url)
    settings.configure(
        DEBUG=False,
        USE_TZ=False,
        USE_I18N=False,
        INSTALLED_APPS=["import_export"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": target["dbname"],
                "USER": target.get("user", ""),
                "PASSWORD": target.get("password", ""),
                "HOST": target.get("host", ""),
                "PORT": target.get("port", ""),
                "OPTIONS": {"options": f"-c search_path={schema}"},
            }
        },
    )
    django.setup()


def _model(fields: list[str]) -> Any:  # noqa: ANN401 - Django's classes are untyped.
    from django.db import models  # noqa: PLC0415 - As above.

    def column(field: str) -> Any:  # noqa: ANN401 - As above.
        match field:
            case "date":
                return models.DateTimeField()
            case "quantity" | "unit_price":
                return models.DecimalField(max_digits=18, decimal_places=6)
            case _:
                return models.TextField(blank=True)

    meta = type("Meta", (), {"app_label": "bench", "db_table": "line_by_django"})
    columns = {field: column(field) for field in fields}
    return type("Line", (models.Model,), {"__module__": __name__, "Meta": meta, **columns})


def _resource(model: Any, fields: dict[str, str]) -> Any:  # noqa: ANN401 - As above.
    """Make the resource with every option that its manual names for speed."""
    from import_export import fields as columns  # noqa: PLC0415 - As above.
    from import_export import resources  # noqa: PLC0415 - As above.

    options = {
        "model": model,
        "fields": tuple(fields.values()),
        "import_id_fields": (),
        "use_bulk": True,
        "batch_size": BATCH_ROWS,
        "force_init_instance": True,
        "skip_diff": True,
        "skip_html_diff": True,
        "skip_unchanged": False,
        "report_skipped": False,
        "clean_model_instances": False,
        "store_instance": False,
        "store_row_values": False,
    }
    declared = {
        field: columns.Field(attribute=field, column_name=header, widget=_widget(field))
        for header, field in fields.items()
    }
    namespace = {"Meta": type("Meta", (), options), **declared}
    return type("LineResource", (resources.ModelResource,), namespace)()


def _widget(field: str) -> Any:  # noqa: ANN401 - As above.
    from import_export import widgets  # noqa: PLC0415 - As above.

    class IsoDateWidget(widgets.Widget):  # type: ignore[misc] # As above.
        """The stock widget reads dates by strptime, which takes ten times as long."""

        def clean(self, value: str, row: object = None, **_: object) -> datetime:  # noqa: ARG002
            return datetime.fromisoformat(value)

    match field:
        case "date":
            return IsoDateWidget()
        case "quantity" | "unit_price":
            return widgets.DecimalWidget()
        case _:
            return widgets.CharWidget()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
