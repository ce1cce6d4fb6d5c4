"""How names are compared: without case, and without the signs that people put between the parts."""

from __future__ import annotations

import re
from typing import Final

PLUS: Final = "+"
"""Stands between the name of a model and that of an adapter (LoRA) which is used with it."""

_BETWEEN: Final = re.compile(r"[-_ .]+")
_REPO: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def squash(name: str) -> str:
    """``name`` as it is compared: ``Phi_4-mini`` and ``phi4-mini`` are the same."""
    return _BETWEEN.sub("", name.casefold())


def is_repo_name(text: str) -> bool:
    """Whether ``text`` can be the name of a repository on the hub: ``owner/name``."""
    return _REPO.fullmatch(text) is not None and ".." not in text
