"""Grammars that hold an answer to tool calls: llguidance's Lark, in which special tokens stand by their ids.

Their text in place of the ids would switch the grammar off: ``findings/lark_literal_of_special_token.sh``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from phicli.chat_format.tool_calls import CLOSE, OPEN
from phicli.structured.limits import limits_for
from phicli.structured.sending import json_schema_to_send
from phicli.tools.types import Tool

END_TOKENS: Final = (
    "<|end|>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|user|>",
    "<|system|>", "</s>",
)  # fmt: skip
"""Special tokens that end an answer, in Phi's files and in others."""
_MOST_CALLS: Final = 8
_GUIDANCE: Final = {
    "whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True,
}  # fmt: skip
"""JSON is written with the spaces that a model was trained on. What cannot be held is left to the check."""


def required_calls(
    tools: Sequence[Tool], id_of: Callable[[str], int | None], *, several: bool, max_tokens: int | None = None
) -> str:
    """The grammar of an answer that is nothing but calls of ``tools``, in Phi-4-mini's form.

    Args:
        tools: those that may be called.
        id_of: the id of a special token; None where the file has none, then its text is generated.
        several: more than one call may be made.
        max_tokens: the limit of the answer; None for none.
    """
    return "\n".join([f"start: {_marked(id_of, several=several)}", *_rules(tools, max_tokens)]) + "\n"


def calls_or_json(
    tools: Sequence[Tool], id_of: Callable[[str], int | None], schema: str, *, several: bool, max_tokens: int | None
) -> str:
    """The grammar of an answer that is nothing but calls, as :func:`required_calls` has it, or else JSON.

    Args:
        tools: those that may be called.
        id_of: as in :func:`required_calls`.
        schema: of the JSON, as it is sent to the engine.
        several: more than one call may be made.
        max_tokens: the limit of the answer; None for none.
    """
    start = [f"start: {_marked(id_of, several=several)} | json", f"json: %json {schema}"]
    return "\n".join([*start, *_rules(tools, max_tokens)]) + "\n"


def calls_as_text(
    tools: Sequence[Tool],
    *,
    several: bool,
    end_ids: Sequence[int] | None = None,
    max_tokens: int | None = None,
) -> str:
    """The grammar of calls of ``tools`` in the protocol of :mod:`phicli.chat_format.generic_tools`.

    Args:
        tools: those that may be called.
        several: more than one call may be made.
        end_ids: the answer may also be text that does not begin with ``{``, and these tokens end it; None: it may not.
            llguidance itself lets only the file's one end-of-text token end a text.
        max_tokens: the limit of the answer; None for none.
    """
    start, text = "start: calls", list[str]()
    if end_ids is not None:
        ends = " | ".join(f"<[{token_id}]>" for token_id in end_ids)
        start = f"start: calls | TEXT{f' ({ends})?' if ends else ''}"
        text = [r"TEXT: /[^{](.|\n)*/"]
    opening = _quoted('{"tool_calls": [')
    calls = f'calls: {opening} {_calls(several=several)} "]}}"'
    return "\n".join([start, *text, calls, *_rules(tools, max_tokens)]) + "\n"


def _marked(id_of: Callable[[str], int | None], *, several: bool) -> str:
    """Calls between the tokens that Phi-4-mini puts around them."""
    opening, closing = (_token(literal, id_of(literal)) for literal in (OPEN, CLOSE))
    return f'{opening} "[" {_calls(several=several)} "]" {closing}'


def _calls(*, several: bool) -> str:
    return f'call (", " call){{0,{_MOST_CALLS - 1}}}' if several else "call"


def _rules(tools: Sequence[Tool], max_tokens: int | None) -> Sequence[str]:
    """The rules ``call`` and, for each tool, its arguments."""
    heads = [f'{{"name": {json.dumps(tool.name)}, "arguments": ' for tool in tools]
    calls = [f'{_quoted(head)} args{number} "}}"' for number, head in enumerate(heads)]
    arguments = [f"args{number}: %json {_held(tool.parameters, max_tokens)}" for number, tool in enumerate(tools)]
    return [f"call: {' | '.join(calls)}", *arguments]


def _held(parameters: Mapping[str, Any], max_tokens: int | None) -> str:
    """The schema of arguments as the engine can hold it: closed, so that no parameters are made up, and with limits."""
    schema = {"additionalProperties": False, **parameters, "type": "object"}
    sent = json.loads(json_schema_to_send(schema, limits_for(schema, max_tokens)))
    return json.dumps({**sent, "x-guidance": _GUIDANCE})


def _token(literal: str, token_id: int | None) -> str:
    return _quoted(literal) if token_id is None else f"<[{token_id}]>"


def _quoted(text: str) -> str:
    return json.dumps(text)
