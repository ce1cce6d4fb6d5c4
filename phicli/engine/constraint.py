"""What holds an answer to a form while it is generated."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from phicli.errors import UsageError

_SILENT: Final = re.compile(r"llg error: (?:at )?(?:\d+\(\d+\): )?(?P<what>.*)")
_REASON: Final = re.compile(r"^error: (?P<what>.*)$", re.MULTILINE)
_PARSER: Final = re.compile(r"^parse: (?P<what>.+?)(?: at)?\s*$", re.MULTILINE)
_ERROR: Final = re.compile(r" E (?P<what>(?!srv |failed to parse grammar).+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A form that the generated text must have, in a language that llama.cpp's server reads.

    The engine's own check is not enough: a text in ``lark`` or ``json_schema`` that llguidance cannot compile leaves
    the answer free, without an error.

    Attributes:
        language: ``gbnf`` is llama.cpp's own, ``lark`` that of llguidance, ``regex`` a regular expression in it,
            ``json_schema`` JSON Schema as JSON.
        text: the grammar or the schema. Both grammars can name tokens by their ids: ``<[1397]>``.
        schema: the JSON Schema that ``text`` was made of, for endpoints that read it in their own way; None where it
            was made of none.
        choices: the answers that ``text`` allows, where these are all.
    """

    language: Literal["gbnf", "lark", "json_schema", "regex"]
    text: str
    schema: Any = field(default=None, compare=False, repr=False)
    choices: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def in_lark(self) -> bool:
        """Whether the engine needs llguidance for it."""
        return self.language in ("lark", "regex")

    def to_request(self, end_ids: Collection[int] = ()) -> dict[str, Any]:
        """The fields of a request for ``/completion``.

        Where a regular expression allows more text, one of the tokens ``end_ids`` may end it: llguidance itself knows
        only the one end-of-text token of the file, and Phi's answers end with another one.
        """
        if self.language == "json_schema":
            return {"json_schema": json.loads(self.text)}
        if self.language == "gbnf":
            return {"grammar": self.text}
        grammar = self.text
        if self.language == "regex":
            ends = " | ".join(f"<[{token_id}]>" for token_id in sorted(end_ids))
            grammar = f"start: text{f' ({ends})?' if ends else ''}\ntext: /{self.text}/"
        return {"grammar": f"%llguidance {{}}\n{grammar}"}


class ConstraintError(UsageError):
    """The engine cannot hold an answer to a constraint; its words are in the message. No text was generated."""


def refusal(log: str) -> str:
    """What the engine's ``log`` says about a constraint that it could not use; empty where it says nothing."""
    if silent := _SILENT.search(log):
        reason = _REASON.search(log, silent.end())
        what = silent["what"].strip().removeprefix("failed to compile JSON schema: ").rstrip(":")
        return what if reason is None else f"{what}: {reason['what']}"
    loud = _PARSER.search(log) or _ERROR.search(log)
    return loud["what"].strip() if loud else ""
