"""Prints the JSON Schema of a pydantic model: a separate program, so that what a module does at import stays in it.

``python model_schema.py module Model``, in the folder that the module is in. The schema comes last on standard output,
behind a NUL: the module may print, too.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import NoReturn


def main() -> None:
    """Import the module and print the schema; any error is the last line on standard error."""
    module, model = sys.argv[1:]
    sys.path[0] = ""  # the folder of this program is not where the module is
    found = importlib.import_module(module)
    for name in model.split("."):
        if not hasattr(found, name):
            _end(f"{module} has no {model}")
        found = getattr(found, name)
    if hasattr(found, "model_json_schema"):
        schema = found.model_json_schema()
    elif hasattr(found, "json_schema"):  # pydantic's TypeAdapter
        schema = found.json_schema()
    else:
        _end(f"{model} is not a pydantic model (it has no model_json_schema)")
    sys.stdout.write("\0" + json.dumps(schema))


def _end(reason: str) -> NoReturn:
    """End because the module, which was imported, has no such model."""
    sys.stderr.write(f"{reason}\n")
    sys.exit(4)


if __name__ == "__main__":
    main()
