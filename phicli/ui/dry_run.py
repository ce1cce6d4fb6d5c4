"""``phi chat --dry-run``: the prompt that would be sent, and what the model would take; or the request to a remote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from phicli.ui.envelope import json_text
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_bytes

if TYPE_CHECKING:
    from phicli.answering.prompt_parts import ExactPrompt
    from phicli.chat.remote import RemotePlan
    from phicli.engine.constraint import Constraint
    from phicli.fit.memory_sum import MemorySum
    from phicli.plan.load import LoadPlan

_IDS_IN_LINE: Final = 16


def dry_run_data(
    prompt: ExactPrompt, plan: LoadPlan, memory: MemorySum, form: Constraint | None = None
) -> dict[str, Any]:
    """The ``data`` of ``--dry-run --json`` for a file; ``form`` is what the engine would hold the answer to."""
    from phicli.ui.recommendation_data import memory_data

    return {
        "model": plan.model.name,
        "quant": plan.model.quant,
        "prompt": [{"special" if part.special else "text": part.text} for part in prompt.parts],
        "ids": list(prompt.token_ids),
        "prompt_tokens": len(prompt.token_ids),
        "context": {"size_tokens": plan.settings.context_tokens, "limit_tokens": plan.context.limit_tokens},
        "memory": memory_data(memory),
        "form": None if form is None else {"language": form.language, "text": form.text},
        "settings": plan.settings_data(),
    }


def print_dry_run(
    terminal: Terminal, prompt: ExactPrompt, plan: LoadPlan, memory: MemorySum, form: Constraint | None = None
) -> None:
    """A line for each special token, as it is, and for each text between them, as JSON; then ids, form and sums."""
    for part in prompt.parts:
        terminal.write_line(part.text if part.special else json.dumps(part.text, ensure_ascii=False))
    ids = list(map(str, prompt.token_ids))
    terminal.write_line("")
    for at in range(0, len(ids), _IDS_IN_LINE):
        terminal.write_line(" ".join(ids[at : at + _IDS_IN_LINE]))
    terminal.write_line("")
    if form is not None:
        terminal.write_line(f"form ({form.language}):")
        terminal.write_line(form.text.rstrip("\n"))
        terminal.write_line("")
    size, limit = plan.settings.context_tokens, plan.context.limit_tokens
    terminal.write_line(f"prompt: {counted(len(ids), 'token')}")
    terminal.write_line(f"context: {size} tokens at first, {limit} at most")
    terminal.write_line(
        f"memory: {format_bytes(memory.total_bytes)}, of it weights {format_bytes(memory.weights_bytes)}, "
        f"KV cache {format_bytes(memory.kv_bytes)}"
    )


def request_data(
    plan: RemotePlan, body: Mapping[str, Any], ignored: Sequence[str], system: str | None
) -> dict[str, Any]:
    """The ``data`` of ``--dry-run --json`` for a model of a remote; ``ignored`` is what its kind does not take."""
    return {
        "model": plan.model.name,
        "quant": None,
        "request": {"method": "POST", "url": _url(plan), "body": dict(body)},
        "ignored": list(ignored),
        "settings": {**plan.settings_data(), "system": system},
    }


def print_request(terminal: Terminal, plan: RemotePlan, body: Mapping[str, Any], ignored: Sequence[str]) -> None:
    """The address, and the body as JSON; the key is not a part of either."""
    terminal.write_line(f"POST {_url(plan)}")
    terminal.write(json_text(body))
    for what in ignored:
        terminal.say(f"note: {plan.model.named.remote.kind} ignores {what}")


def _url(plan: RemotePlan) -> str:
    return f"{plan.model.named.remote.url}/chat/completions"
