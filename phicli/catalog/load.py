"""The catalog in the package.

Loading stands between a command and its first word. So it reads ``catalog.json``, which ``.ci/generate.py`` makes of
``catalog.toml`` (Python's reader of TOML needs 30 times as long), and checks keys and types only. A test checks the
shipped file for contradictions.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from phicli.catalog.parse import bad, made_of
from phicli.catalog.types import Catalog


@cache
def catalog() -> Catalog:
    """The catalog in the package, read once.

    Raises:
        IntegrityError: the file is damaged.
    """
    try:
        data = json.loads(Path(__file__).with_name("catalog.json").read_bytes())
    except ValueError as error:
        raise bad("the file", f"its copy catalog.json cannot be read: {error}") from None
    return made_of(data)
