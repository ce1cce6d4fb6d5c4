"""From lists of values to what is measured, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from phicli.engine.settings import FIELDS, EngineSettings
from phicli.errors import UsageError
from phicli.fit.memory import padded_context
from phicli.plan.context import require_trained
from phicli.records.run import Workload
from phicli.records.workload_texts import text_span

Part = Literal["prompt", "decode"]

COLD_TOKENS: Final = 16
"""Length of the prompt whose first token is timed from the start of the engine."""

_BLOCKS: Final = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing to time: reading the prompt of a workload, or generating its tokens; engine and workload by place."""

    engine: int
    workload: int
    part: Part
    repetition: int


def settings_grid(values: Mapping[str, Sequence[Any]], *, cores: int) -> tuple[EngineSettings, ...]:
    """Every combination of ``values``; the first field varies slowest.

    Combinations that the engine refuses are left out.

    Args:
        values: what to try of each field of :class:`EngineSettings`, at least one value; the default of those missing.
        cores: physical cores of the machine, which are the default of the threads.

    Raises:
        UsageError: nothing is left.
    """
    default = EngineSettings.for_cores(cores).to_data()
    grid = itertools.product(*(values.get(name, (default[name],)) for name in FIELDS))
    found = [EngineSettings(**dict(zip(FIELDS, one, strict=True))) for one in grid]
    possible = tuple(one for one in found if one.is_possible)
    if not possible:
        message = f"the engine supports the KV cache type {found[0].kv_type} only with flash attention"
        raise UsageError(message, "leave out --flash-attention off, or use --kv-type f16")
    return possible


def workloads(
    prompt_tokens: Sequence[int],
    generated_tokens: Sequence[int],
    depth_tokens: Sequence[int],
    texts: Sequence[str | None] = (None,),
) -> tuple[Workload, ...]:
    """Workloads in which every prompt length, and every count of tokens at every depth, comes once.

    Reading a prompt and generating are timed apart, so nothing is gained by combining each with each: two depths are
    one workload with the prompt and another one without. Zeros leave their part out.

    Raises:
        UsageError: a depth without tokens to generate there, or nothing at all.
    """
    prompts = [count for count in prompt_tokens if count]
    decodes = [(count, depth, text) for text in texts for depth in depth_tokens for count in generated_tokens if count]
    if not decodes and any(depth_tokens):
        raise UsageError("--depth requires generation, but --tokens 0 turns it off", "leave out one of them")
    pairs = itertools.zip_longest(prompts, decodes)
    found = tuple(Workload(prompt or 0, *(decode or (0, 0, None))) for prompt, decode in pairs)
    if not found:
        raise UsageError("nothing to measure", "use --prompt-tokens or --tokens")
    return found


def longest_sequence(loads: Sequence[Workload]) -> int:
    """Tokens of the longest sequence: a prompt and the token after it, or a depth and what is generated there."""
    return max(COLD_TOKENS + 1, *(max(one.prompt_tokens + 1, decode_span(one)) for one in loads))


def decode_span(load: Workload) -> int:
    """Tokens of the sequence that generating takes: at least one before, and one more than is timed."""
    if load.text is not None:
        return text_span(load.generated_tokens) + 1
    return max(load.depth_tokens, 1) + load.generated_tokens + 1 if load.generated_tokens else 0


def context_for(loads: Sequence[Workload], *, asked: int | None, trained: int) -> int:
    """The context to load with: ``asked``, else what is needed in steps of 256, at most what the model knows.

    Args:
        loads: what is measured.
        asked: ``--context``.
        trained: the longest context of the model; 0 when its file does not say.

    Raises:
        UsageError: it is too short for ``loads``, or longer than the model knows.
    """
    needed = longest_sequence(loads)
    longest = trained or needed
    if trained:
        require_trained(asked, trained)
    limit = asked if asked is not None else longest
    if needed > limit:
        deepest = max(loads, key=lambda one: max(one.prompt_tokens, decode_span(one)))
        where = f"--context {asked}" if asked is not None else f"the {trained} tokens that this model was trained for"
        raise UsageError(
            f"{_what(deepest)} needs {needed} tokens, which is more than {where}", _hint(deepest, asked, needed)
        )
    return asked if asked is not None else min(padded_context(needed), max(longest, needed))


def _what(load: Workload) -> str:
    if load.prompt_tokens + 1 > decode_span(load):
        return f"--prompt-tokens {load.prompt_tokens}"
    if load.text is not None:
        return f"--tokens {load.generated_tokens} with --speculation"
    return f"--depth {load.depth_tokens} with --tokens {load.generated_tokens}"


def _hint(load: Workload, asked: int | None, needed: int) -> str:
    if asked is not None:
        return f"use --context {needed} or more, or leave it out"
    if load.prompt_tokens + 1 > decode_span(load):
        return "use a smaller --prompt-tokens"
    return "use a smaller --depth" if load.text is None else "use a smaller --tokens"


def interleaved(engines: int, loads: Sequence[Workload], repeat: int) -> tuple[Turn, ...]:
    """All turns for engines that are loaded at the same time: A B A B … for each part of each workload.

    The parts come one after the other, because what generating at a depth goes on from stays in the engine's cache
    only until another prompt is read.
    """
    return tuple(
        Turn(engine, load, part, repetition)
        for load, part in _parts(loads)
        for repetition in range(repeat)
        for engine in range(engines)
    )


def in_blocks(engines: int, loads: Sequence[Workload], repeat: int) -> tuple[tuple[Turn, ...], ...]:
    """All turns for engines that have to be restarted in turn: two blocks of repetitions each, A B A B."""
    half = -(-repeat // _BLOCKS)
    return tuple(
        tuple(Turn(engine, load, part, repetition) for load, part in _parts(loads) for repetition in block)
        for block in (range(half), range(half, repeat))
        for engine in range(engines)
        if block
    )


def _parts(loads: Sequence[Workload]) -> tuple[tuple[int, Part], ...]:
    prompts: list[tuple[int, Part]] = [(place, "prompt") for place, one in enumerate(loads) if one.prompt_tokens]
    decodes: list[tuple[int, Part]] = [(place, "decode") for place, one in enumerate(loads) if one.generated_tokens]
    return (*prompts, *decodes)
