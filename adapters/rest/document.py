"""The OpenAPI document, as docs/openapi.json keeps it: ``python -m adapters.rest.document``."""

import sys

from adapters.rest.app import make_app
from adapters.rest.docs import document_of
from adapters.settings import Settings

if __name__ == "__main__":
    sys.stdout.buffer.write(document_of(make_app(Settings())))
