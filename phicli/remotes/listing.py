"""What a remote says of its models, and what names of models mean."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from phicli.catalog.names import squash
from phicli.catalog.resolve import resolve
from phicli.catalog.types import Variant
from phicli.chat_format.types import Message
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import NotFoundError
from phicli.remotes.kinds import Kind
from phicli.remotes.types import RemoteModelName

_CONTEXTS: Final = ("max_model_len", "context_length", "loaded_context_length", "max_context_length", "n_ctx")
"""vLLM, phi serve and OpenRouter, LM Studio's own API, llama-server (inside ``meta``)."""
_BYTES_PER_TOKEN: Final = 4
_PER_MESSAGE: Final = 4
_MOST_TOKENS: Final = 10**9
_ENDINGS: Final = (".gguf", ":latest")
_FORMAT: Final = re.compile(
    r"(\.gguf|-gguf|-onnx|-fp8|-fp16|-bf16|-awq|-gptq|-int4|-[0-9]+bit|-generic-(cpu|gpu|npu))$", re.IGNORECASE
)
"""How names of models end that say in which form the weights are."""
_NO_MODEL: Final = frozenset({"model_not_found", "DeploymentNotFound"})
"""OpenAI and phi serve; Azure."""
_QUANT: Final = re.compile(r"[-.:@](i?q[0-9][a-z0-9_]*|f16|bf16|f32)$", re.IGNORECASE)


def context_of(listed: Sequence[Mapping[str, Any]], model: str) -> int | None:
    """The context size of ``model`` in a list of models; None where it is not there, or without a size.

    A server with one model answers with that one, whatever it is asked for.
    """
    entry = next((entry for entry in listed if entry["id"] == model), listed[0] if len(listed) == 1 else None)
    meta = entry.get("meta") if entry is not None else None
    for fields in (entry or {}, meta if isinstance(meta, dict) else {}):
        for name in _CONTEXTS:
            size = fields.get(name)
            if isinstance(size, int) and not isinstance(size, bool) and 0 < size < _MOST_TOKENS:
                return size
    return None


def estimated_tokens(messages: Sequence[Message], tools: str | None) -> int:
    """About how many tokens a prompt has: one for four bytes, as English text has in most vocabularies."""
    texts = [message.content for message in messages] + [tools or ""]
    texts += [f"{call.name}{dict(call.arguments)}" for message in messages for call in message.tool_calls]
    return math.ceil(sum(len(text.encode(errors="replace")) for text in texts) / _BYTES_PER_TOKEN) + _PER_MESSAGE * len(
        messages
    )


def variant_meant(model: str) -> Variant | None:
    """The variant of the catalog that a remote's name for a model means; None where that is not clear.

    ``microsoft/Phi-4-mini-instruct``, ``phi4-mini:latest`` and ``/models/Phi-4-Q4_K_M.gguf`` say which model it is; the
    name of a deployment need not.
    """
    name = model.strip().replace("\\", "/").rpartition("/")[2].removesuffix(":latest").removeprefix("microsoft_")
    while True:
        for typed in (name, name.partition(":")[0]):
            try:
                return resolve(typed).variant
            except NotFoundError:
                continue
        shorter = _QUANT.sub("", _FORMAT.sub("", name))
        if shorter == name:
            return None
        name = shorter


def missing_model(error: EndpointError, named: RemoteModelName, listed: Sequence[str]) -> NotFoundError | None:
    """The error that the remote does not have the model, where ``error`` says that; None for any other failure.

    A wrong address has the same status, 404, but no endpoint behind it that knows the name of the model.

    Args:
        error: the failure of a request for an answer.
        named: the model that was asked.
        listed: the models that the remote lists, or listed last; empty where that is unknown. The hint has a close one.
    """
    said = error.message.replace(named.remote.url, "")
    names_it = re.search(rf"(?<!\w){re.escape(named.model)}(?!\w)", said) is not None
    if error.their_code not in _NO_MODEL and not (error.kind == "not_found" and names_it):
        return None
    return no_such_model(error, named, listed)


def no_such_model(error: EndpointError, named: RemoteModelName, listed: Sequence[str]) -> NotFoundError:
    """The error for a model that the remote does not have, in its own words; see :func:`missing_model`."""
    return NotFoundError(error.message, close_name(named, listed))


def close_name(named: RemoteModelName, listed: Sequence[str]) -> str:
    """The hint for a model that is not among those that its remote lists: a close one, or how to see them."""
    name, close = named.remote.name, get_close_matches(named.model, listed, n=1)
    return f"did you mean {name}/{close[0]}?" if close else f"see its models: phi remotes test {name}"


def is_listed(model: str, listed: Sequence[str]) -> bool:
    """Whether ``model`` is among those that are ``listed``; case and Ollama's ``:latest`` do not matter."""
    return any(model.casefold() in (name, name.removesuffix(":latest")) for name in map(str.casefold, listed))


def is_other_model(kind: Kind, asked: str, answered: str) -> bool:
    """Whether a reply names a model that is not the one that was asked.

    Dates, folders and endings may be added to a name; the name of a deployment on Azure says nothing.
    """
    one, other = _plain(asked), _plain(answered)
    return bool(one and other) and kind.name != "azure" and one not in other and other not in one


def _plain(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2].casefold()
    for ending in _ENDINGS:
        last = last.removesuffix(ending)
    return squash(last)
