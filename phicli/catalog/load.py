"""The catalog in the package.

Loading stands between a command and its first word, so it checks keys and types only. A test checks the shipped file
for contradictions.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from phicli.catalog.parse import parse
from phicli.catalog.types import Catalog


@cache
def catalog() -> Catalog:
    """The catalog in the package, read once.

    Raises:
        IntegrityError: the file is damaged.
    """
    return parse(Path(__file__).with_name("catalog.toml").read_text("utf-8"))
