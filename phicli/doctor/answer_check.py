"""An answer of the toy model in the package: it shows that the engine really runs here."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

from phicli.answering.opening import open_model
from phicli.answering.pool import whole
from phicli.chat_format.types import Message
from phicli.doctor.types import Problem
from phicli.engine.used_kernels import installed_kernels
from phicli.errors import PhiError
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate

_QUESTION: Final = "What is the capital of France?"
_EXPECTED: Final = "Paris"
_OPTIONS: Final = ChatOptions(temperature=0.0, seed=1, max_tokens=64)


def ask_toy(on_tick: Callable[[float], None] | None = None) -> tuple[float | None, Problem | None]:
    """Milliseconds from nothing to the whole answer of tiny-phi; None with the problem where there is none.

    An answer that is not the one tiny-phi was trained to give is a problem too: the engine computes wrongly.
    """
    started = perf_counter()
    try:
        with open_model(locate("tiny-phi"), _OPTIONS, Use.ONE_ANSWER, on_tick=on_tick) as opened:
            answer = whole(opened.model.answer([Message("user", _QUESTION)], sampling=opened.plan.sampling))
    except PhiError as error:
        return None, Problem.of("no_answer", error)
    took_ms = (perf_counter() - started) * 1000
    return took_ms, None if _EXPECTED in answer.text else wrong_answer(answer.text)


def wrong_answer(text: str) -> Problem:
    """The problem of an engine that computes ``text``: native kernels come before the engine itself."""
    message = f"tiny-phi answers {text[:60]!r} to {_QUESTION!r}, but it should answer {_EXPECTED}"
    if installed_kernels().kernels:
        return Problem("wrong_answer", message, "do not use the native kernels: phi engine use wheel")
    hint = "install another build of the engine: this one calculates incorrectly on this machine"
    return Problem("wrong_answer", message, hint)
