"""What the services and libraries that fine-tune take, each with its source.

Sources, read in November 2026:

- ``azure``: "Customize a model with fine-tuning" of Microsoft Foundry (MicrosoftDocs/azure-ai-docs): JSON Lines in the
  chat completion format, UTF-8 with a byte order mark, less than 512 MB, at least 10 examples. Its table of models has
  a "training example context length" of 65,536 tokens, for models of OpenAI; it has none for Phi.
- ``openai``: the API reference of fine-tuning (``FineTuneChatRequestInput`` in openai/openai-openapi): ``messages``,
  ``tools``, ``parallel_tool_calls`` and the deprecated ``functions``; ``weight`` of an assistant message is 0 or 1. The
  guide "Supervised fine-tuning" asks for at least 10 examples; the reference of files allows 512 MB. The cookbook's
  "Data preparation and analysis for chat model fine-tuning" refuses other keys of a message. All keys of calls and
  results of tools are required, and arguments are text (``ChatCompletionMessageToolCall`` and
  ``ChatCompletionRequestToolMessage``).
- ``trl``: "Dataset formats and types" of TRL (huggingface/trl): ``messages``, or ``prompt`` and ``completion`` as text
  or as messages, ``tools`` in JSON Schema. Tried with TRL 1.16: ``messages`` trains on the words of the user too, and
  ``SFTConfig`` cuts examples at 1,024 tokens by default. The template of Phi-4-mini reads tools from the system message
  only, and has no place for ``tool_calls`` (its ``tokenizer_config.json``); those of Phi-3 and Phi-4 know no tools.

What a service refuses beyond this, such as content that its moderation does not let through, can only be known there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from phicli.errors import UsageError

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Service:
    """What a target takes.

    Attributes:
        name: as ``--for`` has it; empty for Phi models without a service.
        title: what it is called in messages.
        min_examples: fewer are refused.
        max_bytes: a larger file is refused; None for no limit that is documented.
        byte_order_mark: whether it is ``expected`` at the beginning, does ``harm``, or neither.
        roles: roles beside system, user, assistant and tool.
        top_keys: keys of an example beside ``messages`` and ``tools``.
        weight: what becomes of ``weight``: taken, or ignored.
        reasoning: what becomes of reasoning under a key of its own: taken, ignored by Phi's template, or refused.
        own_shapes: whether tools may be in the shape of Phi-4-mini's model card.
        full_calls: whether calls must have an id, their type and arguments as text, and results the id of their call.
        images: whether content may have images.
        warn_above_tokens: longer examples are cut by default.
        most_tokens: more than the documents name for an example; None where they name no number.
        drops_tools: whether tools and their calls do not reach the model, because Phi's chat template leaves them out.
    """

    name: str
    title: str
    min_examples: int = 0
    max_bytes: int | None = None
    byte_order_mark: Literal["expected", "harm", ""] = ""
    roles: frozenset[str] = frozenset()
    top_keys: frozenset[str] = frozenset()
    weight: Literal["taken", "ignored"] = "taken"
    reasoning: Literal["taken", "ignored", "refused"] = "taken"
    own_shapes: bool = False
    full_calls: bool = False
    images: bool = False
    warn_above_tokens: int | None = None
    most_tokens: int | None = None
    drops_tools: bool = False

    @property
    def takes_pairs(self) -> bool:
        """Whether an example may be a ``prompt`` and a ``completion``."""
        return "completion" in self.top_keys


ANY: Final = Service("", "Phi", own_shapes=True)
_OPENAI_KEYS: Final = frozenset({"parallel_tool_calls", "functions"})
SERVICES: Final[Mapping[str, Service]] = {
    "azure": Service(
        "azure", "Azure AI Foundry", 10, 512 * MEGABYTE, "expected", frozenset({"developer", "function"}), _OPENAI_KEYS,
        reasoning="refused", full_calls=True, images=True, most_tokens=65_536,
    ),
    "openai": Service(
        "openai", "OpenAI", 10, 512 * MEGABYTE, "", frozenset({"developer", "function"}), _OPENAI_KEYS,
        reasoning="refused", full_calls=True, images=True, most_tokens=65_536,
    ),
    "trl": Service(
        "trl", "TRL", byte_order_mark="harm", weight="ignored", reasoning="ignored", warn_above_tokens=1024,
        drops_tools=True, top_keys=frozenset({"prompt", "completion", "chat_template_kwargs"}),
    ),
}  # fmt: skip


def service_called(name: str | None) -> Service:
    """The service that ``--for`` names, :data:`ANY` for None.

    Raises:
        UsageError: it is unknown.
    """
    if name is None:
        return ANY
    service = SERVICES.get(name.strip().lower())
    if service is None:
        raise UsageError(f"unknown service: {name}", f"the services are {', '.join(SERVICES)}: --for azure")
    return service
