"""A pick in words: why it was taken, and what to type."""

from __future__ import annotations

import shlex

from phicli.fit.quality import quantisation_loss, thinking_ratio
from phicli.fit.ranking import Ranking
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Pick, Request, Role
from phicli.hardware.types import Machine
from phicli.units import format_bytes

_NOTICEABLE_POINTS = 2.5


def make_pick(
    role: Role, one: Assessment, best: Assessment, request: Request, ranking: Ranking, machine: Machine
) -> Pick:
    """The pick ``one`` in the ``role`` beside ``best``, with its reasons and its command on ``machine``."""
    task, tps = ranking.task, ranking.tps(one)
    points = f"{one.quality:.0f} vs. {best.quality:.0f} points for {task.purpose}"
    if role == "best":
        reason = _why_best(one, ranking, "" if machine.memory is None else " that fits")
    elif role == "faster":
        reason = f"{tps / ranking.tps(best):.1f} times the speed of the best; {points}"
    else:
        what = "answer tokens/s" if thinking_ratio(one.candidate.variant, task) else "tokens/s"
        reason = f"better: {points}; but {_its_price(one, best, ranking, f'{tps:.1f} {what}')}"
    gpu = any(card.usable for card in machine.gpus)
    context = _about_context(one, request, task)
    return Pick(role, one, (reason, *context, *_remarks(one, task)), command_of(one, request, task, gpu=gpu))


def command_of(one: Assessment, request: Request, task: Task, *, gpu: bool = False) -> str:
    """What to type: ``phi chat`` offers the download itself. The context is named where it was asked for.

    Where there is a GPU, ``phi chat`` gives it all layers, so another number of them is named.
    """
    candidate = one.candidate
    words = ["phi", "chat", candidate.name]
    if request.context_tokens is not None or task.context_required:
        words += ["--context", str(one.context_tokens)]
    if one.kv_type != "f16":
        words += ["--kv-type", one.kv_type]
    if gpu and one.gpu_layers <= candidate.shape.layers:
        words += ["--gpu-layers", str(one.gpu_layers)]
    return shlex.join(words)


def _why_best(one: Assessment, ranking: Ranking, fits: str) -> str:
    task, tps, target = ranking.task, ranking.tps(one), ranking.target_tps
    if tps < target:
        return (
            f"the best balance of quality and speed for {task.purpose}{fits}; its {tps:.1f} tokens/s are below the "
            f"target of {target:g}"
        )
    strength = one.candidate.variant.strength
    what = f" ({strength})" if strength else ""
    return f"the best balance of quality and speed for {task.purpose}{fits}{what}"


def _its_price(one: Assessment, best: Assessment, ranking: Ranking, speed: str) -> str:
    """What the smarter one costs most, against the best: waiting, a large file, or memory that it fills."""
    mine, other = ranking.worth(one), ranking.worth(best)
    size = format_bytes(one.candidate.shape.weights_bytes)
    prices = [
        (mine.wait - other.wait, f"only {speed}"),
        (mine.size - other.size, f"a file of {size}"),
        (mine.tight - other.tight, f"it fills {one.memory_share:.0%} of the usable memory"),
    ]
    return max(prices)[1]


def _about_context(one: Assessment, request: Request, task: Task) -> list[str]:
    """How long a document takes to read, and that the context is shorter than usual for the task."""
    found = []
    usual = min(task.context_tokens, one.candidate.variant.context_tokens)
    if request.context_tokens is None and one.context_tokens < usual:
        found.append(f"{usual:,} tokens would fit only with a quantization that ruins it; this context is shorter")
    if task.context_required:
        found.append(f"a document of {one.context_tokens:,} tokens takes {_minutes(one.speed.context_s)} to read")
    return found


def _minutes(seconds: float) -> str:
    return f"about {seconds / 60:.0f} minutes" if seconds >= 90 else f"about {max(seconds, 1):.0f} seconds"


def _remarks(one: Assessment, task: Task) -> list[str]:
    """What else a person should know of it."""
    found = []
    quant = one.candidate.quant
    loss = quantisation_loss(quant)
    if loss >= _NOTICEABLE_POINTS:
        found.append(f"{quant} costs about {loss:.0f} points of quality, but it fits")
    if one.kv_type != "f16":
        found.append(f"the KV cache type is {one.kv_type}; with f16 it would not fit")
    if one.candidate.variant.reasoning:
        ratio = thinking_ratio(one.candidate.variant, task)
        longer = f": about {ratio:.0f} tokens of reasoning for each token of the answer" if ratio else ""
        found.append(f"it reasons before it answers{longer}")
    if one.memory.repack_bytes:
        size = format_bytes(one.memory.repack_bytes)
        found.append(f"{size} of the memory is repacked weights, for speed")
    if 0 < one.gpu_layers <= one.candidate.shape.layers:
        found.append(
            f"{one.gpu_layers} of {one.candidate.shape.layers + 1} layers run on the GPU, the rest on the processor"
        )
    return found
