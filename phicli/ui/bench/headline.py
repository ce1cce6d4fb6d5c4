"""What came of something that was measured, in a few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from phicli.records.history import Entry
from phicli.ui.bench.figures import rate


def headline(entry: Entry) -> str:
    """The result of ``entry``, as ``34.0 / 9.80 t/s``; empty where its data do not have it."""
    return _OF_KIND.get(entry.kind, _nothing)(entry.data)


def work_of(entry: Entry) -> str:
    """What was done: ``512 + 128``, ``0 + 128 @ 2048`` with a depth, ``0 + 128, copy`` of a text,
    ``arithmetic (50)``; empty where the data do not say.

    How many tokens were generated for a ``speed`` was not saved: ``512 + ?``.
    """
    if entry.kind == "eval":
        return _questions(entry.data)
    prompt, generated, depth = (entry.data.get(name) for name in ("prompt_tokens", "generated_tokens", "depth_tokens"))
    if not isinstance(prompt, int) or not (isinstance(generated, int) or entry.kind == "speed"):
        return ""
    generated = "?" if entry.kind == "speed" else generated
    text = entry.data.get("text")
    return f"{prompt} + {generated}" + (f" @ {depth}" if depth else "") + (f", {text}" if text else "")


def _questions(data: Mapping[str, Any]) -> str:
    name, asked = data.get("set"), data.get("asked")
    return f"{name} ({asked})" if isinstance(name, str) and isinstance(asked, int) else ""


def number(data: Any, *names: str) -> float | None:
    """The number that is found in ``data`` by going down ``names``; None where there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, Mapping) else None
    return float(data) if isinstance(data, (int, float)) and not isinstance(data, bool) else None


def _speeds(data: Mapping[str, Any]) -> str:
    found = [number(data, name, "mean") for name in ("prompt_tps", "decode_tps")]
    if found == [None, None]:
        return ""
    return " / ".join("-" if value is None else rate(value) for value in found) + " t/s"


def _quality(data: Mapping[str, Any]) -> str:
    perplexity, agreement = number(data, "perplexity", "value"), number(data, "top1_agreement", "value")
    found = [] if perplexity is None else [f"perplexity {rate(perplexity)}"]
    return ", ".join([*found, *([] if agreement is None else [f"{agreement:.1%} agree"])])


def _accuracy(data: Mapping[str, Any]) -> str:
    share = number(data, "accuracy", "estimate")
    if share is None:
        return ""
    low, high = number(data, "accuracy", "low"), number(data, "accuracy", "high")
    ends = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f})"
    return f"{100 * share:.0f} %{ends}"


def _winners(data: Mapping[str, Any]) -> str:
    uses = data.get("uses")
    found = [
        f"{use.get('use')} {rate(ratio)}x"
        for use in (uses if isinstance(uses, list) else [])
        if isinstance(use, Mapping) and (ratio := number(use, "ratio", "mean")) is not None
    ]
    return ", ".join(found)


def _throughput(data: Mapping[str, Any]) -> str:
    """Of all requests together, the most that a level of load came to."""
    levels = data.get("levels")
    found = [number(level, "throughput_tps") for level in (levels if isinstance(levels, list) else [])]
    most = max((one for one in found if one is not None), default=None)
    return "" if most is None else f"{rate(most)} t/s"


def _nothing(data: Mapping[str, Any]) -> str:  # noqa: ARG001 (the signature is that of the others)
    return ""


_OF_KIND: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "run": _speeds,
    "speed": _speeds,
    "endpoint": _throughput,
    "quality": _quality,
    "eval": _accuracy,
    "tune": _winners,
}
