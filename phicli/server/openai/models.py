"""The models as OpenAI lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def models_body(names: Iterable[str], created: int) -> dict[str, Any]:
    """The list of the models called ``names``; ``created`` is a time in seconds since 1970."""
    return {"object": "list", "data": [model_body(name, created) for name in names]}


def model_body(name: str, created: int) -> dict[str, Any]:
    """One model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "phi"}
