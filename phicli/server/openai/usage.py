"""The tokens of answers, and why they ended, as OpenAI has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phicli.answering.types import Answer


def usage(answers: Sequence[Answer]) -> dict[str, Any]:
    """The tokens of ``answers`` to one prompt, which counts once."""
    prompt = answers[0].usage.prompt_tokens if answers else 0
    completion = sum(answer.usage.completion_tokens for answer in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": answers[0].usage.cached_tokens if answers else 0},
        "completion_tokens_details": {"reasoning_tokens": sum(answer.reasoning_tokens for answer in answers)},
    }


def finish_reason(answer: Answer) -> str:
    """Why an answer ended."""
    return "stop" if answer.finish_reason == "interrupted" else answer.finish_reason
