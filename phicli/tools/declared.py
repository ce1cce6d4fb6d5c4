"""What a prompt says of the tools: in the shape that the model was trained with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from phicli.tools.card import card_of
from phicli.tools.types import Tool

TRAINED: Final = ("phi-4-mini",)
"""Prompt formats that have a place for tools."""


def declared_for(prompt_format: str, tools: Sequence[Tool]) -> str:
    """The declarations of ``tools`` as a JSON array, as the models of ``prompt_format`` know them.

    Models without tool training get JSON Schema, which says most to whoever reads it for the first time.
    """
    if prompt_format in TRAINED:
        return json.dumps([card_of(tool) for tool in tools], ensure_ascii=False)
    plain = [
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)} for tool in tools
    ]
    return json.dumps(plain, ensure_ascii=False)
