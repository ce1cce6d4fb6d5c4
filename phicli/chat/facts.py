"""What made an answer, to be saved with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from phicli.answering.types import Answer, Ending
from phicli.chat.opened import AnswerPlan
from phicli.chat.saved_adapters import adapters_of_answer
from phicli.engine.types import Sampling


def facts_of_question(plan: AnswerPlan) -> dict[str, Any]:
    """What is saved with a question before its answer: what is asked, with its adapters or its remote.

    A conversation that is continued before there is an answer goes on with these adapters. Without the remote, the name
    of the model would mean a repository as soon as the remote is no longer configured.
    """
    settings = plan.settings_data()
    asked = {"remote": settings["remote"]} if "remote" in settings else {"adapters": settings.get("adapters", [])}
    return {"model": plan.model.reference, "settings": asked}


def is_made_by(answer: Mapping[str, Any] | None, asked: Mapping[str, Any] | None) -> bool:
    """Whether an answer was made by what is ``asked`` now: its model, with the same adapters.

    Args:
        answer: facts of the answer; without any it is taken for one of these.
        asked: facts of a question (:func:`facts_of_question`).
    """
    if not answer or not asked:
        return True
    return answer.get("model") == asked["model"] and adapters_of_answer(answer) == adapters_of_answer(asked)


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
