"""``phi chat --stats`` and ``--verbose``: numbers of an answer, and how its engine was started, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from phicli.answering.types import Answer
from phicli.ui.models.sampling import sampling_values
from phicli.ui.status import rate_of
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_bytes

if TYPE_CHECKING:
    from phicli.chat.opened import AnswerPlan
    from phicli.engine.read_ahead import ReadSoFar
    from phicli.plan.load import LoadPlan
    from phicli.records.run import Peak

_NOT_SETTINGS: Final = ("model_path", "slot_folder", "drafts", "cache_ram_mib", "adapters")
_NOT_OF_LENT: Final = (*_NOT_SETTINGS, "slots", "context_tokens")


def print_stats(
    terminal: Terminal, answer: Answer, peak: Peak | None, read: ReadSoFar | None = None, declared_tokens: int = 0,
    *, lent: bool = False,
) -> None:  # fmt: skip
    """Tokens, times, speeds and memory of an answer.

    ``peak`` is the engine's memory, None where it is unknown. ``read`` is how the file was read, for the first answer
    after the model was loaded. ``declared_tokens`` of the prompt declare tools. ``lent``: phi serve lends the engine.
    """
    if lent:
        terminal.say("engine: of phi serve")
    _print(terminal, _stats(answer, peak, read, declared_tokens))


def print_start(terminal: Terminal, plan: LoadPlan, build: str, *, lent: bool = False) -> None:
    """The engine's ``build``, the file, and the settings that the file is loaded and answers with.

    Of an engine that is ``lent``, the context and the slots are not known here.
    """
    _print(terminal, _start(plan, build, _NOT_OF_LENT if lent else _NOT_SETTINGS))


def _stats(
    answer: Answer, peak: Peak | None, read: ReadSoFar | None, declared_tokens: int
) -> Iterator[tuple[str, str]]:
    if read is not None:
        yield "load", f"{answer.load_ms / 1000:.2f} s{_from_disk(read)}"
    usage, timings = answer.usage, answer.timings
    parts = [
        f"{count} {what}"
        for count, what in ((usage.cached_tokens, "cached"), (declared_tokens, "declare tools"))
        if count
    ]
    of_them = f" ({', '.join(parts)})" if parts else ""
    rates = ("" if timings is None else _rate(timings.prompt_tps), _rate(answer.tokens_per_s or 0.0))
    yield "prompt", f"{counted(usage.prompt_tokens, 'token')}{of_them}{rates[0]}"
    thought = f" ({answer.reasoning_tokens} of reasoning)" if answer.reasoning_tokens else ""
    yield "answer", f"{counted(usage.completion_tokens, 'token')}{thought}{rates[1]}"
    if answer.ttft_ms is not None:
        yield "time to first token", f"{answer.ttft_ms / 1000:.2f} s"
    yield "total time", f"{answer.total_ms / 1000:.2f} s"
    if answer.context_tokens is not None:
        yield "context", f"{answer.used_tokens} of {answer.context_tokens} tokens"
    if peak is not None:
        yield "memory", memory_says(peak)


def memory_says(peak: Peak) -> str:
    """The memory of an engine in words."""
    anonymous = peak.anonymous_bytes
    part = "" if anonymous is None else f", {format_bytes(anonymous)} of it anonymous"
    return f"{format_bytes(peak.total_bytes)} at most{part}"


def _from_disk(read: ReadSoFar) -> str:
    """How much came from the disk; nothing for a file that was in memory."""
    return f", {read.disk_bytes / 1e9:.1f} GB read from disk at {rate_of(read)}" if read.disk_bytes else ""


def _rate(tokens_per_s: float) -> str:
    """A speed; the engine reports none for a prompt that was cached entirely."""
    return f", {tokens_per_s:.1f} tokens/s" if tokens_per_s else ""


def _start(plan: LoadPlan, build: str, left_out: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield "engine", build
    yield "model", str(plan.settings.model_path)
    settings = {name: value for name, value in plan.settings.to_data().items() if name not in left_out}
    yield "settings", ", ".join(f"{name}={_word(value)}" for name, value in settings.items())
    if plan.settings.adapters:
        yield "adapters", ", ".join(f"{one.path} at {one.scale:g}" for one in plan.settings.adapters)
    yield "longest context", f"{plan.context.limit_tokens} tokens"
    yield "prompt format", plan.format.name
    yield from answering_facts(plan)


def answering_facts(plan: AnswerPlan) -> Iterator[tuple[str, str]]:
    """How a model answers, here or on another machine: each with its label."""
    yield "sampling", f"{sampling_values(plan.sampling)}, seed {plan.sampling.seed}"
    if plan.stop_texts:
        yield "stop texts", " ".join(map(repr, plan.stop_texts))
    if plan.think_budget is not None:
        yield "think budget", f"{plan.think_budget} tokens"
    if plan.system:
        yield "system message", plan.system


def _word(value: object) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def _print(terminal: Terminal, facts: Iterator[tuple[str, str]]) -> None:
    for label, value in facts:
        terminal.say(f"{label}: {value}")
