"""Options of an answer that commands share: its system message, how it is sampled, and where it ends."""

from __future__ import annotations

from typing import Annotated

import typer


def within_limits(param: typer.CallbackParam, value: float | None) -> float | None:
    """``value``, when it is possible.

    Raises:
        UsageError: it is not.
    """
    if value is not None:
        from phicli.plan.chat_options import check_number

        check_number(param.opts[0], value)
    return value


System = Annotated[str | None, typer.Option("--system", "-s", help="System message.")]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", "--temp", callback=within_limits, help="Sampling temperature; 0 is deterministic."),
]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        callback=within_limits,
        help="Sample from the likeliest tokens up to this total probability, e.g. 0.9.",
    ),
]
TopK = Annotated[
    int | None,
    typer.Option("--top-k", callback=within_limits, help="Sample from this many of the likeliest tokens; 0 means all."),
]
MinP = Annotated[
    float | None,
    typer.Option(
        "--min-p",
        callback=within_limits,
        help="Ignore tokens below this share of the best token's probability, e.g. 0.05.",
    ),
]
RepeatPenalty = Annotated[
    float | None,
    typer.Option(
        "--repeat-penalty",
        callback=within_limits,
        help="Penalize repetition of the last 64 tokens, e.g. 1.1; 1 means no penalty.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", callback=within_limits, help="Random seed for sampling.")]
MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", "-n", callback=within_limits, help="Maximum number of tokens in the answer."),
]
Stop = Annotated[
    list[str] | None,
    typer.Option("--stop", help="End the answer before this text, e.g. END. Can be repeated.", show_default=False),
]
ThinkBudget = Annotated[
    int | None,
    typer.Option(
        "--think-budget",
        callback=within_limits,
        help="End reasoning after this many tokens and ask for the answer; 0 asks for it at once.",
    ),
]
