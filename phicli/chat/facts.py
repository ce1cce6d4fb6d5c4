"""What made an answer, to be saved with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from phicli.answering.types import Answer, Ending
from phicli.chat.opened import AnswerPlan
from phicli.engine.types import Sampling


def facts_of_question(plan: AnswerPlan) -> dict[str, Any] | None:
    """What is saved with a question before its answer: the remote that is asked. None for a model of this machine.

    Else the name of the model would mean a repository as soon as the remote is no longer configured.
    """
    remote = plan.settings_data().get("remote")
    return None if remote is None else {"model": plan.model.reference, "settings": {"remote": remote}}


def facts_of(
    answer: Answer, sampling: Sampling, plan: AnswerPlan, ending: Ending, *, engine: str, build: str
) -> dict[str, Any]:
    """What made ``answer``, as JSON has it.

    Args:
        answer: the answer.
        sampling: how its tokens were chosen, with the seed.
        plan: how its model answers.
        ending: what could end it.
        engine: the name of the engine.
        build: its version and kernels.
    """
    timings = answer.timings
    return {
        "model": plan.model.reference,
        "quant": plan.model.quant,
        "engine": engine,
        "build": build,
        "seed": sampling.seed,
        "sampling": sampling.to_data(),
        "settings": {
            **plan.settings_data(),
            "stop": list(ending.stop_texts),
            "think_budget": ending.think_tokens,
        },
        "finish_reason": answer.finish_reason,
        "stopped_by": answer.stopped_by,
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "cached_tokens": answer.usage.cached_tokens,
            "reasoning_tokens": answer.reasoning_tokens,
        },
        "ttft_ms": answer.ttft_ms,
        "prompt_tps": None if timings is None else timings.prompt_tps,
        "decode_tps": None if timings is None else timings.decode_tps,
        "context": {"size_tokens": answer.context_tokens, "used_tokens": answer.used_tokens},
        "made_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reasoning": answer.reasoning,
    }
