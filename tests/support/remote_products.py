"""A server that answers as products behind remotes do, after their documents and sources.

None of this was recorded from the products: ``UNTRIED`` names those that no test asks itself. What was read, and when:

- openai: OpenAI API reference (chat completions, streaming), 2026-10.
- ollama: ``openai/openai.go`` of Ollama, 2026-08: calls come whole in one chunk, reasoning in ``reasoning``.
- lmstudio: lmstudio.ai/docs, OpenAI compatibility and tool use, 2026-10: arguments of calls come in parts.
- llama-server: ``tools/server`` of llama.cpp, 2026-11: the first chunk has ``content: null``, the last one has
  ``timings``.
- vllm: ``entrypoints/openai`` of vLLM, 2026-11: ``stop_reason``, usage in its own chunk, ids ``chatcmpl-tool-…``.
- foundry-local: ``sdk_v2/cpp/src`` of Foundry Local, 2026-10: logprobs are null, penalties are refused.
- azure: learn.microsoft.com, content filtering and streaming, 2026-10: the first chunk has no choice and no model.
- nvidia: docs.nvidia.com, NIM for LLMs, 2026-10: chunks of vLLM.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from phicli.remotes.types import KindName
from tests.support.endpoint import Behaviour, Endpoint

UNTRIED: Final = ("openai", "ollama", "lmstudio", "vllm", "foundry-local", "azure", "nvidia")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPENAI: Final = _names(
    "model messages stream stream_options temperature top_p max_tokens max_completion_tokens n stop seed "
    "presence_penalty frequency_penalty logit_bias logprobs top_logprobs response_format tools tool_choice "
    "parallel_tool_calls reasoning_effort user metadata store service_tier"
)
_SAMPLERS: Final = _names(
    "top_k min_p repeat_penalty repeat_last_n xtc_probability xtc_threshold mirostat mirostat_tau mirostat_eta"
)
TAKEN: Final[Mapping[KindName, frozenset[str]]] = {
    "openai": _OPENAI,
    "ollama": _names(
        "model messages stream stream_options max_tokens seed stop temperature frequency_penalty presence_penalty "
        "top_p response_format tools reasoning reasoning_effort logprobs top_logprobs"
    ),
    "lmstudio": _names(
        "model messages stream stream_options temperature top_p top_k max_tokens stop presence_penalty "
        "frequency_penalty logit_bias repeat_penalty seed response_format tools tool_choice ttl"
    ),
    "llama-server": _OPENAI | _SAMPLERS | _names("grammar json_schema reasoning_format chat_template_kwargs"),
    "vllm": _OPENAI
    | _names(
        "top_k min_p repetition_penalty structured_outputs continue_final_message add_generation_prompt ignore_eos "
        "include_reasoning chat_template_kwargs"
    ),
    "foundry-local": _names(
        "model messages stream stream_options temperature top_p n max_tokens max_completion_tokens presence_penalty "
        "frequency_penalty seed logprobs top_logprobs parallel_tool_calls user stop tool_choice response_format tools "
        "metadata"
    ),
    "azure": _OPENAI,
    "nvidia": _OPENAI - _names("parallel_tool_calls max_completion_tokens"),
    "phi": _OPENAI | _SAMPLERS,
}
"""The fields of a request that each product documents."""
_REASONING: Final[Mapping[KindName, str]] = {
    "ollama": "reasoning", "lmstudio": "reasoning_content", "llama-server": "reasoning_content", "vllm": "reasoning",
    "foundry-local": "reasoning_content", "azure": "reasoning_content", "nvidia": "reasoning_content",
    "phi": "reasoning_content",
}  # fmt: skip
"""Where each sends reasoning; the others send none."""
_PROMPT_TOKENS: Final = 21


@dataclass
class Script:
    """What a product answers: reasoning first, where it sends any, then text or calls; then why it ended."""

    text: tuple[str, ...] = ("It", " is", " sunny", ".")
    reasoning: tuple[str, ...] = ()
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    finish: str | None = None
    model: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def reason(self, kind: KindName, body: Mapping[str, Any]) -> str:
        """The word for why it ended."""
        named = isinstance(body.get("tool_choice"), dict)
        called = "stop" if named and kind in ("openai", "azure", "vllm", "nvidia") else "tool_calls"
        return self.finish or (called if self.calls else "stop")


class ProductEndpoint(Endpoint):
    """A product of this kind; ``script`` is what it answers. A field that it does not document is a failure here."""

    def __init__(self, kind: KindName, script: Script | None = None) -> None:
        super().__init__(self._answered)
        self.kind = kind
        self.script = script or Script()

    @property
    def body(self) -> dict[str, Any]:
        """The last request."""
        return dict(self.chats[-1].body)

    def _answered(self, _: int) -> Behaviour:
        body = dict(self.current.body)
        unknown = sorted(body.keys() - TAKEN[self.kind])
        if unknown:
            return Behaviour(status=400, body=json.dumps({"error": {"message": f"UNDOCUMENTED {unknown}"}}).encode())
        if refused := _refusal(self.kind, body):
            return Behaviour(status=400, body=json.dumps({"error": {"message": refused}}).encode())
        return Behaviour(raw=stream_of(self.kind, self.script, body))


def stream_of(kind: KindName, script: Script, body: Mapping[str, Any]) -> bytes:
    """The stream that a product answers ``body`` with."""
    return b"".join(_events(kind, script, body))


def _refusal(kind: KindName, body: Mapping[str, Any]) -> str:
    """What the product says about a request that it documents as wrong."""
    stops = body.get("stop") or []
    if kind in ("azure", "foundry-local") and len(stops) > 4:
        return "Invalid 'stop': array too long. Expected an array with maximum length 4"
    if kind == "foundry-local" and (body.get("frequency_penalty") or body.get("presence_penalty")):
        return "nonzero frequency_penalty and presence_penalty are not supported"
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        return "top_logprobs requires logprobs"
    if (body.get("tool_choice") or body.get("parallel_tool_calls") is not None) and not body.get("tools"):
        return "'tool_choice' is only allowed when 'tools' are specified"
    calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    return "" if calls == results else f"tool_calls {calls} have the results {results}"


def _events(kind: KindName, script: Script, body: Mapping[str, Any]) -> Iterator[bytes]:
    """The events of a stream, as the product writes them."""
    model = script.model or body["model"]
    counts = (len(script.reasoning), len(script.text) + len(script.calls))
    if kind == "azure":
        filters = [{"prompt_index": 0, "content_filter_results": {}}]
        yield _sent(
            {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": filters}
        )
    if kind not in ("ollama", "lmstudio"):
        first: dict[str, Any] = {"role": "assistant", "content": None if kind == "llama-server" else ""}
        yield _chunk(kind, model, first | ({"refusal": None} if kind in ("openai", "azure") else {}))
    for part in script.reasoning if kind in _REASONING else ():
        yield _chunk(kind, model, {**_role(kind), _REASONING[kind]: part})
    for part in () if script.calls else script.text:
        yield _chunk(kind, model, {**_role(kind), "content": part}, logprobs=_logprobs(kind, part, body))
    for number, (name, arguments) in enumerate(script.calls):
        yield from _call(kind, model, number, name, arguments)
    last: dict[str, Any] = {"role": "assistant", "content": ""} if kind == "ollama" else {}
    more = {"stop_reason": None} if kind in ("vllm", "nvidia") else {}
    yield _chunk(kind, model, last, finish=script.reason(kind, body), **more, **script.more)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _usage(kind, model, *counts)
    yield b"data: [DONE]\n\n"


def _role(kind: KindName) -> dict[str, Any]:
    return {"role": "assistant", "content": ""} if kind == "ollama" else {}


def _call(kind: KindName, model: str, number: int, name: str, arguments: dict[str, Any]) -> Iterator[bytes]:
    text = json.dumps(arguments)
    call_id = {"vllm": f"chatcmpl-tool-{number:032x}", "lmstudio": str(365174485 + number)}.get(kind, f"call_{number}a")
    whole = {"index": number, "id": call_id, "type": "function", "function": {"name": name, "arguments": text}}
    if kind in ("ollama", "foundry-local"):
        yield _chunk(kind, model, {**_role(kind), "tool_calls": [whole]})
        return
    yield _chunk(kind, model, {"tool_calls": [{**whole, "function": {"name": name, "arguments": ""}}]})
    for at in range(0, len(text), 5):
        part = {"index": number, "function": {"arguments": text[at : at + 5]}}
        yield _chunk(kind, model, {"tool_calls": [part]})


def _logprobs(kind: KindName, text: str, body: Mapping[str, Any]) -> Any:
    if not body.get("logprobs") or kind == "foundry-local":
        return None
    token = {"token": text, "logprob": math.log(0.5), "bytes": list(text.encode())}
    others = [{"token": "x", "logprob": math.log(0.25), "bytes": [120]}]
    likeliest = [dict(token), *others][: body.get("top_logprobs", 0)]
    return {"content": [{**token, "top_logprobs": likeliest}], "refusal": None}


def _chunk(kind: KindName, model: str, delta: dict[str, Any], **more: Any) -> bytes:
    finish, logprobs = more.pop("finish", None), more.pop("logprobs", None)
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    if logprobs is not None or kind not in ("ollama", "llama-server"):
        choice["logprobs"] = logprobs
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    return _sent(chunk | ({"usage": None} if kind in ("openai", "azure", "vllm", "ollama", "nvidia") else {}))


def _usage(kind: KindName, model: str, reasoning: int, tokens: int) -> bytes:
    usage: dict[str, Any] = {
        "prompt_tokens": _PROMPT_TOKENS,
        "completion_tokens": reasoning + tokens,
        "total_tokens": _PROMPT_TOKENS + reasoning + tokens,
    }
    if kind in ("openai", "azure", "lmstudio", "foundry-local", "phi"):
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    if kind in ("openai", "azure", "llama-server", "phi"):
        usage["prompt_tokens_details"] = {"cached_tokens": 8}
    return _sent({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": model, "choices": [], "usage": usage})


def _sent(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
