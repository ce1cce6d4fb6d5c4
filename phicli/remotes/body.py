"""The body of a request for ``/chat/completions``: what the product takes, and what has no effect there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from phicli.chat_format.types import Message
from phicli.engine.constraint import Constraint
from phicli.engine.types import Sampling
from phicli.errors import UsageError
from phicli.remotes.kinds import Kind
from phicli.remotes.request import RemoteRequest
from phicli.remotes.strict import fits_strict
from phicli.remotes.types import KindName

FORMAT: Final = "response_format"
FORM: Final = "the form of the answer"
"""Stands in :attr:`Body.ignored` for a form that nothing holds the answer to; it is checked nevertheless."""
_SAMPLING: Final = (
    "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last_n", "xtc_probability", "xtc_threshold", "mirostat",
    "mirostat_tau", "mirostat_eta", "presence_penalty", "frequency_penalty",
)  # fmt: skip
_CUTS: Final = frozenset({"top_k", "top_p", "min_p", "xtc_probability", "xtc_threshold"})
"""These make no difference at temperature 0, where the likeliest token is always among what is left."""
_MOST_LIKELIEST: Final = 20
_PREFILL: Final[Mapping[KindName, Mapping[str, Any]]] = {
    "phi": {},
    "llama-server": {},
    "ollama": {},
    "vllm": {"continue_final_message": True, "add_generation_prompt": False},
}
"""Products that continue an answer that the conversation ends with, and what is sent for that."""
_LARGE_SEEDS: Final[frozenset[KindName]] = frozenset({"phi", "llama-server"})
_SEEDS: Final = 2**31
"""Some products read a seed into 32 bits with a sign."""
_USUAL: Final = Sampling()


@dataclass(slots=True)
class Body:
    """A request: its fields, and in words what has no effect on the answer because the product does not take it."""

    fields: dict[str, Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def without(self, names: Sequence[str]) -> Body:
        """The same without the fields ``names``."""
        return Body({name: value for name, value in self.fields.items() if name not in names}, self.ignored)


def body_of(kind: Kind, model: str, request: RemoteRequest, usual: Sampling) -> Body:
    """The request for ``model``.

    Args:
        kind: the product.
        model: the name that the product knows.
        request: what is asked.
        usual: the sampling of the model where nobody asks for another one.

    Raises:
        UsageError: an answer is to be continued, and the product does not do that.
    """
    body = Body({"model": model, "messages": list(messages_data(request.messages))})
    body.fields |= _continued(kind, request)
    _add_sampling(body, kind, request.sampling, usual)
    _add_tools(body, kind, request)
    if request.sampling.constraint is not None:
        _add_form(body, kind, request.sampling.constraint)
    if request.ending.stop_texts:
        body.fields["stop"] = list(request.ending.stop_texts[: kind.most_stop_texts])  # the others are found here
    if request.ending.think_tokens is not None:
        _add_think_tokens(body, kind, request.ending.think_tokens)
    if kind.usage_option:
        body.fields["stream_options"] = {"include_usage": True}
    return body


def sampling_beside(sampling: Sampling, usual: Sampling) -> dict[str, Any]:
    """What is sent of ``sampling`` beside temperature, seed and limit, where the product takes it: name to value.

    That is what a person chose, and the ``usual`` values of the model where they differ from those of llama.cpp: with
    the same name a model then answers alike here and there. At temperature 0 usual values that have no effect are
    left out.
    """
    fields: dict[str, Any] = {}
    for name in _SAMPLING:
        value = getattr(sampling, name)
        has_no_effect = value == getattr(_USUAL, name) or (sampling.temperature == 0 and name in _CUTS)
        if value != getattr(usual, name) or not has_no_effect:
            fields[name] = value
    return fields


def messages_data(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """The messages as OpenAI has them; calls get ids by their places, so that the same conversation has the same."""
    waiting: list[str] = []
    for place, message in enumerate(messages):
        if message.role == "tool":
            yield {
                "role": "tool",
                "tool_call_id": waiting.pop(0) if waiting else f"call_{place}",
                "content": message.content,
            }
        elif message.tool_calls:
            waiting = [f"call_{place}_{number}" for number in range(len(message.tool_calls))]
            calls = [
                {
                    "id": call_id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
                }
                for call_id, call in zip(waiting, message.tool_calls, strict=True)
            ]
            yield {"role": message.role, "content": message.content or None, "tool_calls": calls}
        else:
            yield {"role": message.role, "content": message.content}


def _continued(kind: Kind, request: RemoteRequest) -> Mapping[str, Any]:
    if not request.begun:
        return {}
    if kind.name not in _PREFILL:
        raise UsageError(
            f"a remote of the kind {kind.name} does not continue an answer that is begun",
            f"leave out the last message; the kinds that continue it are {', '.join(_PREFILL)}",
        )
    return _PREFILL[kind.name]


def _add_sampling(body: Body, kind: Kind, sampling: Sampling, usual: Sampling) -> None:
    """How tokens are chosen; what nobody asked for is not named where the product does not take it."""
    fields = body.fields
    fields["temperature"] = sampling.temperature
    if sampling.max_tokens is not None:
        fields[kind.limit_field] = sampling.max_tokens
    if sampling.seed is not None and kind.seed:
        fields["seed"] = sampling.seed if kind.name in _LARGE_SEEDS else sampling.seed % _SEEDS
    for name, value in sampling_beside(sampling, usual).items():
        if name in kind.sampling:
            _set(fields, kind.sampling[name], value)
        elif value != getattr(usual, name):
            body.ignored.append(f"--{name.replace('_', '-')}")
    if sampling.likeliest is not None and kind.logprobs:
        fields["logprobs"] = True
        fields["top_logprobs"] = min(sampling.likeliest, _MOST_LIKELIEST)
    elif sampling.likeliest is not None:
        body.ignored.append("a request for token probabilities")


def _add_tools(body: Body, kind: Kind, request: RemoteRequest) -> None:
    if request.tools is None:
        return
    declared, choice = json.loads(request.tools), request.choice
    if request.by_name:
        choice = "named" if "named" in kind.tool_choice else "required"
        if choice != "named":
            declared = [tool for tool in declared if tool["name"] == request.choice]
    if choice == "none" and "none" not in kind.tool_choice:
        return
    body.fields["tools"] = [{"type": "function", "function": tool} for tool in declared]
    if choice == "named":
        body.fields["tool_choice"] = {"type": "function", "function": {"name": request.choice}}
    elif choice in kind.tool_choice:
        body.fields["tool_choice"] = choice
    elif choice != "auto":
        body.ignored.append("--tool-choice")
    if not request.several and kind.parallel_tool_calls:
        body.fields["parallel_tool_calls"] = False


def _add_form(body: Body, kind: Kind, constraint: Constraint) -> None:
    """What holds the answer to a form, where the product has something for it."""
    if isinstance(constraint.schema, Mapping) and kind.schema:
        schema = {"name": "answer", "schema": constraint.schema, "strict": fits_strict(constraint.schema)}
        body.fields[FORMAT] = {"type": "json_schema", "json_schema": schema}
    elif constraint.choices and "choice" in kind.grammar:
        _set(body.fields, kind.grammar["choice"], list(constraint.choices))
    elif constraint.language in kind.grammar:
        text = constraint.text.replace(r"\/", "/") if constraint.language == "regex" else constraint.text
        _set(body.fields, kind.grammar[constraint.language], text)
    else:
        body.ignored.append(FORM)


def _add_think_tokens(body: Body, kind: Kind, most: int) -> None:
    if kind.name == "phi" and most == 0:
        body.fields["reasoning_effort"] = "none"
    else:
        body.ignored.append("--think-budget")


def _set(fields: dict[str, Any], path: str, value: Any) -> None:
    """Set the field ``path``; a dot leads into an object."""
    name, dot, rest = path.partition(".")
    if dot:
        _set(fields.setdefault(name, {}), rest, value)
    else:
        fields[name] = value
