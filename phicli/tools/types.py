"""A tool that a model may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask for.

    Attributes:
        name: what a call names.
        description: what it does, for the model; may be empty.
        parameters: JSON Schema of its arguments, which are one object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
