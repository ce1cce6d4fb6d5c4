"""The models as OpenAI lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from phicli.server.names import ServedName


def models_body(names: Iterable[ServedName]) -> dict[str, Any]:
    """The list of the models."""
    return {"object": "list", "data": [model_body(name) for name in names]}


def model_body(name: ServedName) -> dict[str, Any]:
    """One model; beside OpenAI's fields, the most tokens of a conversation where the catalog knows them.

    A model with an adapter has the name of the model alone as ``parent``.
    """
    context = {} if name.context_tokens is None else {"context_length": name.context_tokens}
    parent = {} if name.parent is None else {"parent": name.parent}
    return {"id": name.id, "object": "model", "created": name.created, "owned_by": name.owned_by, **parent, **context}
