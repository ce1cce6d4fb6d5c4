"""What was typed behind ``phi bench``, read into numbers and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.engine.settings import OneOf, Whole, read_list
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.errors import UsageError

QUICK_PROMPT: Final = 32
QUICK_TOKENS: Final = 12
QUICK_REPEAT: Final = 3
"""What ``--quick`` measures; docs/bench.md says how long it takes for 4 billion parameters on two cores."""

_MOST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Options of ``phi bench``; lists give a grid.

    ``settings`` has the values of each field of :class:`~phicli.engine.settings.EngineSettings` that was typed.
    ``output`` is ``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``. ``baseline`` is a file, ``last`` or the
    beginning of a run's id. ``quick`` asks for fewer tokens and repetitions. ``answer_tokens`` is
    ``--tokens`` where it was typed as one number, for ``--eval``. ``repeat_typed`` tells a ``--repeat`` that was typed
    from the default, for ``--url``.
    """

    prompt_tokens: tuple[int, ...] = (512,)
    generated_tokens: tuple[int, ...] = (128,)
    depth_tokens: tuple[int, ...] = (0,)
    repeat: int = 5
    repeat_typed: bool = False
    quick: bool = False
    context_tokens: int | None = None
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: MappingProxyType({}))
    engines: tuple[str, ...] = (DEFAULT_ENGINE,)
    llama_server: Path | None = None
    quality: bool = True
    baseline: str | None = None
    fail_below: float | None = None
    force: bool = False
    plot: Path | None = None
    output: str = "text"
    quiet: bool = False
    url: str | None = None
    concurrency: tuple[int, ...] = (1,)
    requests: int | None = None
    tune: bool = False
    reset: bool = False
    eval_file: str | None = None
    limit: int | None = None
    seed: int = 1
    restart: bool = False
    answer_tokens: int | None = None


def numbers(text: str | None, option: str, *, least: int = 0, most: int = _MOST) -> tuple[int, ...]:
    """A list such as ``1,2,4``, each once, in the order given; empty for None.

    Raises:
        UsageError: something in it is no whole number between ``least`` and ``most``.
    """

    return read_list(Whole(least, most), text, option)


def words(text: str | None, option: str, known: Sequence[str]) -> tuple[str, ...]:
    """The same for words out of ``known``, in any case.

    Raises:
        UsageError: a word is not among them.
    """

    return read_list(OneOf(tuple(known)), text, option)


def output_format(*, as_json: bool, jsonl: bool, csv: bool, markdown: bool) -> str:
    """The one format that was asked for, else ``text``.

    Raises:
        UsageError: more than one was.
    """
    asked = [
        name for name, wanted in (("json", as_json), ("jsonl", jsonl), ("csv", csv), ("markdown", markdown)) if wanted
    ]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} exclude each other", "leave one of them out")
    return asked[0] if asked else "text"
