"""What people want a model for, and what each of these asks of it.

**Target speeds** (``floor_tps``, tokens per second). People read about 238 words per minute (Brysbaert 2019), which
is 5 tokens per second at 1.3 tokens a word. Chat at 8 stays ahead of the reader. Code is skimmed, not read, and a
function is longer than a remark: 10. Whoever asks for reasoning waits for the thoughts as well, 2,000 tokens or more:
at 12 that is under three minutes. A long document is waited for while it is read in; its answer is short: 5. These
are first guesses.

**Contexts** are what the task usually needs: 4096 for talk; 8192 where files are pasted or thoughts are written down;
32,768 for long documents, which is the point of that task, so it is required there and never shortened in silence
(:mod:`phicli.fit.contexts`).

**Ladders.** Published scores are comparable when benchmark and source are the same, and no benchmark covers the whole
family. So each task names one benchmark of one source (``benchmark``, ``source``) as its scale, and an order of the
family, weakest first, after the selection guide. A variant with a score on the scale has that score; one without
stands between its neighbors in the order that have one (:mod:`phicli.fit.quality`). Tests hold the order to the
scores. ``also`` names further benchmarks that count as the same scale: the GPQA of the card of Phi-4 is its Diamond
part (simple-evals asks nothing else), which the reasoning models report by that name; the MGSM of the card of
Phi-4-mini was measured as that of the Phi-3.5 cards, 0-shot with a chain of thought, and gives Phi-3.5-mini 49.6 where
its own card says 47.9. MATH-500 is a part of MATH that
is easier, and HumanEval+ is stricter than HumanEval: they are not the same scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from phicli.catalog.names import squash
from phicli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of use.

    Args:
        name: what to type after ``--task``.
        purpose: what it is, in words that fit behind "for".
        needs: capabilities of the catalog, one of which a model must have.
        context_tokens: the usual context.
        context_required: whether a shorter one would miss the point.
        floor_tps: tokens per second that people want; slower is worth less, without a limit below which it is refused.
        benchmark: whose scores are the scale of quality.
        source: the key in ``Catalog.references`` that the scores must come from.
        also: benchmark and source of further scores on the same scale, the first that a variant has counts.
        strengths: words of a variant's strength that belong to the task.
        order: ids of variants, weakest first.
        thinking_is_wanted: whether the thoughts of a reasoning model are what is asked for; else they are waiting.
    """

    name: str
    purpose: str
    needs: tuple[str, ...]
    context_tokens: int
    floor_tps: float
    benchmark: str
    order: tuple[str, ...]
    source: str = "azureml"
    also: tuple[tuple[str, str], ...] = ()
    strengths: tuple[str, ...] = ()
    context_required: bool = False
    thinking_is_wanted: bool = False

    @property
    def label(self) -> str:
        """What to call it in a sentence."""
        return self.purpose if self.name == "any" else self.name


_GENERAL: Final = (
    "phi-4-mini-reasoning",
    "phi-3-mini-128k",
    "phi-3-mini-4k",
    "phi-3.5-mini",
    "phi-4-mini",
    "phi-3-medium-128k",
    "phi-3-medium-4k",
    "phi-3.5-moe",
    "phi-4-reasoning",
    "phi-4-reasoning-plus",
    "phi-4",
)
_CODE: Final = (
    "phi-1",
    "phi-2",
    "phi-4-mini-reasoning",
    "phi-3-mini-4k",
    "phi-3-medium-128k",
    "phi-3-mini-128k",
    "phi-3-medium-4k",
    "phi-3.5-mini",
    "phi-4-mini",
    "phi-3.5-moe",
    "phi-4",
    "phi-4-reasoning",
    "phi-4-reasoning-plus",
)
_MATH: Final = (
    "phi-3-mini-128k",
    "phi-3-mini-4k",
    "phi-3-medium-128k",
    "phi-3-medium-4k",
    "phi-3.5-mini",
    "phi-3.5-moe",
    "phi-4-mini",
    "phi-4",
    "phi-4-mini-reasoning",
    "phi-4-reasoning",
    "phi-4-reasoning-plus",
)
_REASONING: Final = (
    "phi-3-mini-128k",
    "phi-3-mini-4k",
    "phi-3-medium-128k",
    "phi-3-medium-4k",
    "phi-3.5-mini",
    "phi-4-mini",
    "phi-3.5-moe",
    "phi-4-mini-reasoning",
    "phi-4",
    "phi-4-reasoning",
    "phi-4-reasoning-plus",
)
_MULTILINGUAL: Final = ("phi-3.5-mini", "phi-3.5-moe", "phi-4-mini")
_LONG: Final = (
    "phi-4-mini-reasoning", "phi-4-reasoning", "phi-4-reasoning-plus",
    "phi-3-mini-128k", "phi-3-medium-128k", "phi-3.5-mini", "phi-4-mini", "phi-3.5-moe",
)  # fmt: skip

_EVERYDAY: Final = ("general", "knowledge")
_DIAMOND: Final = (("GPQA Diamond", "card-reasoning"), ("GPQA Diamond", "whatmodel"))

_MGSM: Final = (("MGSM", "card-phi-4-mini"),)

_ALL: Final = (
    Task("chat", "everyday questions and conversation", ("chat",), 4096, 8.0, "MMLU", _GENERAL, strengths=_EVERYDAY),
    # The catalog's tag "code" marks a strength; every chat model writes code, and base models only continue it.
    Task("code", "programming", ("chat",), 8192, 10.0, "HumanEval", _CODE, strengths=("code",)),
    Task(
        "math", "mathematics", ("math",), 8192, 12.0, "MATH", _MATH, strengths=("math", "reasoning"),
        thinking_is_wanted=True,
    ),
    Task(
        "reasoning", "problems with many steps", ("reasoning", "math"), 8192, 12.0, "GPQA", _REASONING, also=_DIAMOND,
        strengths=("reasoning",), thinking_is_wanted=True,
    ),
    Task(
        "multilingual", "languages other than English", ("multilingual",), 4096, 8.0, "MGSM", _MULTILINGUAL,
        also=_MGSM, strengths=("multilingual",),
    ),
    Task("tools", "tool calls", ("tools",), 4096, 8.0, "MMLU", _GENERAL, strengths=("tool calls",)),
    Task("long-context", "long documents", ("chat",), 32_768, 5.0, "RULER", _LONG, context_required=True),
    Task("vision", "pictures", ("vision",), 4096, 8.0, "MMMU", (), source="card-reasoning-vision"),
    Task("any", "general use", ("chat",), 4096, 8.0, "MMLU", _GENERAL, strengths=_EVERYDAY),
)  # fmt: skip

TASKS: Final[Mapping[str, Task]] = MappingProxyType({task.name: task for task in _ALL})
"""Name to task, in the order in which they are listed."""


def task_named(name: str) -> Task:
    """The task called ``name``; case and separators do not matter.

    Raises:
        UsageError: there is no such task; the hint lists them.
    """
    squashed = {squash(known): known for known in TASKS}
    task = TASKS.get(squashed.get(squash(name), ""))
    if task is None:
        from difflib import get_close_matches

        near = get_close_matches(squash(name), squashed, 1)
        meant = f"did you mean --task {squashed[near[0]]}? " if near else ""
        raise UsageError(
            f"unknown task: {name!r}",
            f"{meant}the tasks are {', '.join(TASKS)}; for example: phi recommend --task chat",
        )
    return task
