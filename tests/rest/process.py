"""Serves the API until a signal, as `asiento api` does."""

import sys

from adapters.logging import configure_logging
from adapters.rest.serve import serve
from adapters.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    configure_logging(settings, "api")
    sys.exit(serve(settings))
