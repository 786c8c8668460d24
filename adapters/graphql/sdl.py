"""The schema as text: ``python -m adapters.graphql.sdl docs/schema.graphql`` writes it anew."""

import sys
from pathlib import Path

from adapters.graphql.schema import schema


def sdl() -> str:
    """Write down the schema in its own language."""
    return schema().as_str() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(sdl(), encoding="utf-8")
