"""A pick in words: why it was taken, and what to type."""

from __future__ import annotations

import shlex

from phicli.fit.quality import quantisation_loss, thinking_ratio
from phicli.fit.ranking import NEARLY, useful_tps
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Pick, Request, Role
from phicli.hardware.types import Machine

_NOTICEABLE_POINTS = 2.5


def make_pick(
    role: Role, one: Assessment, best: Assessment, request: Request, task: Task, floor_tps: float, machine: Machine
) -> Pick:
    """The pick ``one`` in the ``role`` beside ``best``, with its reasons and its command on ``machine``."""
    tps, gpu = useful_tps(one, task), any(card.usable for card in machine.gpus)
    if role == "best":
        reasons = [_why_best(one, task, tps, floor_tps, "" if machine.memory is None else " that fits")]
    elif role == "faster":
        times = tps / useful_tps(best, task)
        reasons = [f"{times:.1f} times the speed of the best; {_against(one, best, task)}"]
    elif thinking_ratio(one.candidate.variant, task):
        reasons = [f"better: {_against(one, best, task)}; but only {tps:.1f} answer tokens/s"]
    else:
        reasons = [
            f"better: {_against(one, best, task)}; but only {tps:.1f} tokens/s, below the target of {floor_tps:g}"
        ]
    return Pick(role, one, tuple(reasons + _remarks(one, task)), command_of(one, request, task, gpu=gpu))


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


def _why_best(one: Assessment, task: Task, tps: float, floor_tps: float, fits: str) -> str:
    if NEARLY * floor_tps <= tps < floor_tps:
        return f"the best for {task.purpose}{fits}; it nearly reaches the target of {floor_tps:g} tokens/s"
    if tps < floor_tps:
        return (
            f"no good model{fits} reaches the target of {floor_tps:g} tokens/s for {task.label}; this one comes closest"
        )
    strength = one.candidate.variant.strength
    what = f" ({strength})" if strength else ""
    return f"the best for {task.purpose}{' that fits and' if fits else ', as it'} reaches {floor_tps:g} tokens/s{what}"


def _against(one: Assessment, best: Assessment, task: Task) -> str:
    return f"{one.quality:.0f} vs. {best.quality:.0f} points for {task.purpose}"


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
    if 0 < one.gpu_layers <= one.candidate.shape.layers:
        found.append(
            f"{one.gpu_layers} of {one.candidate.shape.layers + 1} layers run on the GPU, the rest on the processor"
        )
    return found
