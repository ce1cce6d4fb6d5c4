"""What each product behind a remote takes: the table that decides what is sent to it.

Each row says where its facts are from and how old they are. ``tried`` says whether the project's tests ask the product
itself; the other rows are read, from documents or sources, and their tests ask a server that behaves as they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

from phicli.remotes.types import KindName, Remote

LimitField = Literal["max_tokens", "max_completion_tokens"]
ToolChoice = Literal["none", "required", "named"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A product.

    Attributes:
        name: what ``--kind`` takes.
        title: for people.
        documented: what the row was read from.
        as_of: when it was read, as year and month.
        remark: what else a person should know.
        tried: the tests ask the product itself.
        limit_field: the field that limits the answer. A server ignores the other one.
        tool_choice: which of these choices it follows; ``named`` is one tool by its name. Any product takes ``auto``.
        parallel_tool_calls: it takes a field of this name.
        schema: it holds answers to the JSON Schema in ``response_format``.
        seed: it takes a seed.
        logprobs: it reports probabilities of tokens.
        most_stop_texts: so many texts in ``stop`` at most; None for no limit that is known.
        reasoning_fields: fields of a delta that have reasoning.
        sampling: fields of :class:`~phicli.engine.types.Sampling` to its own; it does not take those that are missing.
            Temperature, seed and limit are not among them.
        grammar: ``gbnf``, ``regex`` or ``choice`` to the field that takes it; a dot leads into an object.
        usage_option: it takes ``stream_options.include_usage``.
        parallel: how many requests are in flight by default.
        lists_models: what it lists are the models that can be asked.
        path: how its addresses end.
    """

    name: KindName
    title: str
    documented: str
    as_of: str
    remark: str = ""
    tried: bool = False
    limit_field: LimitField = "max_tokens"
    tool_choice: frozenset[ToolChoice] = frozenset()
    parallel_tool_calls: bool = False
    schema: bool = True
    seed: bool = True
    logprobs: bool = False
    most_stop_texts: int | None = None
    reasoning_fields: tuple[str, ...] = ()
    sampling: Mapping[str, str] = field(default_factory=dict)
    grammar: Mapping[str, str] = field(default_factory=dict)
    usage_option: bool = True
    parallel: int = 4
    lists_models: bool = True
    path: str = "/v1"

    @property
    def provenance(self) -> str:
        """Where the row is from, in a few words."""
        return f"read in {self.as_of}" + (", tried" if self.tried else ", not tried")


def _same(*names: str) -> Mapping[str, str]:
    return MappingProxyType({name: name for name in names})


_ANY_CHOICE: Final[frozenset[ToolChoice]] = frozenset(("none", "required", "named"))
_NO_NAMES: Final[frozenset[ToolChoice]] = frozenset(("none", "required"))
_PENALTIES: Final = ("presence_penalty", "frequency_penalty")
_OPENAI: Final = _same("top_p", *_PENALTIES)
_ENGINE: Final = (
    "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last_n", "xtc_probability", "xtc_threshold", "mirostat",
    "mirostat_tau", "mirostat_eta", *_PENALTIES,
)  # fmt: skip

_KINDS: Final = (
    Kind(
        "openai",
        "OpenAI and services that copy its API",
        "API reference (Create chat completion), and openai-python's types made of its specification",
        "2026-11",
        limit_field="max_completion_tokens",
        tool_choice=_ANY_CHOICE,
        parallel_tool_calls=True,
        logprobs=True,
        most_stop_texts=4,
        sampling=_OPENAI,
        parallel=8,
    ),
    Kind(
        "ollama",
        "Ollama",
        "docs.ollama.com/api/openai-compatibility, and openai/openai.go",
        "2026-11",
        "the limit has only its older name",
        logprobs=True,
        reasoning_fields=("reasoning",),
        sampling=_OPENAI,
        parallel=1,
    ),
    Kind(
        "lmstudio",
        "LM Studio",
        "lmstudio.ai/docs/developer: openai-compat, api-changelog up to 0.4.1",
        "2026-11",
        "reasoning is separate only where its settings say so",
        tool_choice=_NO_NAMES,
        reasoning_fields=("reasoning_content", "reasoning"),
        sampling=_same("top_p", "top_k", "repeat_penalty", *_PENALTIES),
    ),
    Kind(
        "llama-server",
        "llama.cpp's llama-server",
        "tools/server/README.md of llama.cpp",
        "2026-11",
        "with the template inside Phi files, declared tools do not reach the prompt",
        tried=True,
        tool_choice=_NO_NAMES,
        parallel_tool_calls=True,
        logprobs=True,
        reasoning_fields=("reasoning_content",),
        sampling=_same(*_ENGINE),
        grammar={"gbnf": "grammar"},
    ),
    Kind(
        "vllm",
        "vLLM",
        "vllm/entrypoints/openai/chat_completion/protocol.py",
        "2026-11",
        "tools require --enable-auto-tool-choice and --tool-call-parser",
        limit_field="max_completion_tokens",
        tool_choice=_ANY_CHOICE,
        parallel_tool_calls=True,
        logprobs=True,
        reasoning_fields=("reasoning", "reasoning_content"),
        sampling={**_same("top_p", "top_k", "min_p", *_PENALTIES), "repeat_penalty": "repetition_penalty"},
        grammar={"regex": "structured_outputs.regex", "choice": "structured_outputs.choice"},
        parallel=32,
    ),
    Kind(
        "foundry-local",
        "Foundry Local",
        "sdk_v2/cpp/src/contracts and /service of microsoft/Foundry-Local",
        "2026-11",
        "its web service lists models of its own catalog only",
        limit_field="max_completion_tokens",
        tool_choice=_ANY_CHOICE,
        most_stop_texts=4,
        reasoning_fields=("reasoning_content",),
        sampling=_same("top_p"),
        parallel=1,
    ),
    Kind(
        "azure",
        "Azure (Microsoft Foundry)",
        "learn.microsoft.com: Azure OpenAI v1 reference, Foundry Models endpoints",
        "2026-11",
        "the model is the name of the deployment; what the service lists are models that could be deployed",
        tool_choice=_ANY_CHOICE,
        logprobs=True,
        most_stop_texts=4,
        reasoning_fields=("reasoning_content", "reasoning"),
        sampling=_OPENAI,
        lists_models=False,
        path="/openai/v1",
    ),
    Kind(
        "nvidia",
        "NVIDIA (API catalog and NIM)",
        "docs.nvidia.com/nim/large-language-models: API reference of 2.x",
        "2026-11",
        "NIM answers through vLLM; models of the catalog take different fields",
        tool_choice=_ANY_CHOICE,
        logprobs=True,
        reasoning_fields=("reasoning_content", "reasoning"),
        sampling=_OPENAI,
    ),
    Kind(
        "phi",
        "phi serve",
        "docs/openai.md",
        "2026-11",
        tried=True,
        limit_field="max_completion_tokens",
        tool_choice=_ANY_CHOICE,
        parallel_tool_calls=True,
        logprobs=True,
        most_stop_texts=64,
        reasoning_fields=("reasoning_content",),
        sampling=_same(*_ENGINE),
    ),
)  # fmt: skip

KINDS: Final[Mapping[KindName, Kind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All products by their names."""

OPENAI_HOST: Final = "api.openai.com"
_HOSTS: Final[tuple[tuple[str, KindName], ...]] = (
    (OPENAI_HOST, "openai"), ("openai.azure.com", "azure"), ("services.ai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"), ("api.nvidia.com", "nvidia"), ("ollama.com", "ollama"),
)  # fmt: skip
"""The end of a host's name to the product there."""
_PORTS: Final[Mapping[int, KindName]] = MappingProxyType(
    {11434: "ollama", 1234: "lmstudio", 8080: "llama-server", 8000: "vllm", 11500: "phi"}
)
"""Ports on which products listen unless they are told otherwise."""


def kind_of(remote: Remote) -> Kind:
    """What ``remote`` takes.

    OpenAI itself wants the newer field for the limit. Services that copy its API know the older one, and a server that
    ignores the limit would answer without one.
    """
    kind = KINDS[remote.kind]
    if remote.kind == "openai" and urlsplit(remote.url).hostname != OPENAI_HOST:
        return replace(kind, limit_field="max_tokens", most_stop_texts=None, parallel=4)
    return kind


def kind_of_url(url: str) -> KindName | None:
    """The product that is probably at ``url``, by its host or its usual port; None where nothing hints at one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    for end, kind in _HOSTS:
        if host == end or host.endswith(f".{end}"):
            return kind
    return _PORTS.get(parts.port or 0)
