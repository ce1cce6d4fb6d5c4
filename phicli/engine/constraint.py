"""What holds an answer to a form while it is generated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Constraint:
    """A form that the generated text must have, in a language that llama.cpp's server reads.

    The engine's own check is not enough: a text in ``lark`` or ``json_schema`` that llguidance cannot compile leaves
    the answer free, without an error.

    Attributes:
        language: ``gbnf`` is llama.cpp's own, ``lark`` that of llguidance, ``json_schema`` JSON Schema as JSON.
        text: the grammar or the schema. Both grammars can name tokens by their ids: ``<[1397]>``.
    """

    language: Literal["gbnf", "lark", "json_schema"]
    text: str

    def to_request(self) -> dict[str, Any]:
        """The fields of a request for ``/completion``."""
        if self.language == "json_schema":
            return {"json_schema": json.loads(self.text)}
        return {"grammar": f"%llguidance {{}}\n{self.text}" if self.language == "lark" else self.text}
