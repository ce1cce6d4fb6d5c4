"""A speed that ``phi recommend`` can use, and the entries of the history that have one in their data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.fit.calibration import Measurement
from phicli.records.history import Entry

KINDS: Final = ("run", "tune", "speed")
"""Kinds of entries with speeds: a benchmark, tuning (its list ``speeds``), what an earlier version of phi left."""

NAMES: Final = (
    "variant_id", "quant", "weights_bytes", "size_bytes", "settings", "device", "hardware", "depth_tokens",
    "prompt_tokens", "prompt_tps", "decode_tps", "complete", "text", "path", "load_ms", "cold_ttft_ms", "speeds",
    "adapters",
)  # fmt: skip
"""What of their data is looked at here."""

_NOTHING: Final[Mapping[str, Any]] = {}


def speed_data(one: Measurement) -> dict[str, Any]:
    """``one`` as data of an entry, with the names that a run has for the same."""
    return {
        "variant_id": one.variant_id,
        "quant": one.quant,
        "weights_bytes": one.weights_bytes,
        "settings": {"threads": one.conditions.threads, "repack": one.conditions.repack},
        "device": one.conditions.device,
        "depth_tokens": one.depth_tokens,
        "prompt_tokens": one.prompt_tokens,
        "prompt_tps": {"mean": one.prefill_tps} if one.prefill_tps else None,
        "decode_tps": {"mean": one.decode_tps, "stdev": one.decode_stdev_tps},
    }


def newest_measurements(entries: Iterable[Entry]) -> Iterator[Measurement]:
    """The speeds in ``entries`` (the newest first): of each file, depth and setting only the newest that is usable.

    Usable are speeds of whole files in the settings in which ``phi chat`` runs them. Left out are engines other than
    the default one, adapters (LoRA), runs that were interrupted or did not generate, layers that two devices share, and
    a batch, KV cache or flash attention other than the default; also what is damaged. A run that read no prompt has the
    prompt speed of the first run of the same load that did.
    """
    kept = tuple(entries)
    seen: set[str] = set()
    for entry in kept:
        for data in _speeds(entry):
            what = _what(data)
            if what in seen or (entry.kind == "run" and not _is_usual(entry)):
                continue
            prompt = data if data.get("prompt_tps") else _prompt_of(data, kept)
            try:
                yield _measurement(entry, data, prompt)
            except (KeyError, TypeError, ValueError):
                continue
            seen.add(what)


def _what(data: Mapping[str, Any]) -> str:
    """Of which file, depth and setting the speed in ``data`` is."""
    names = ("quant", "weights_bytes", "settings", "device", "depth_tokens")
    return repr([data.get("variant_id") or data.get("path"), *(data.get(name) for name in names)])


def _prompt_of(data: Mapping[str, Any], entries: Sequence[Entry]) -> Mapping[str, Any]:
    """The first of ``entries`` that read a prompt under the same load as ``data``; empty without one."""
    load = _load_of(data)
    found = (one.data for one in reversed(entries) if one.data.get("prompt_tps") and _load_of(one.data) == load)
    return next(found, _NOTHING)


def _load_of(data: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the runs of one load have in common and no others: the file, and how long it and its first token took."""
    return data.get("path"), data.get("load_ms"), data.get("cold_ttft_ms")


def _speeds(entry: Entry) -> Sequence[Mapping[str, Any]]:
    """Whatever in ``entry`` has the names of :func:`speed_data`."""
    if entry.kind != "tune":
        return (entry.data,)
    speeds = entry.data.get("speeds")
    return [one for one in speeds if isinstance(one, Mapping)] if isinstance(speeds, list) else ()


def _is_usual(entry: Entry) -> bool:
    """Whether a run was complete, by the default engine and in its usual settings, without adapters, and not of a text.

    How deep in the context the tokens of a text are is not recorded.
    """
    data = entry.data
    is_plain = data.get("text") is None and not data.get("adapters")
    if entry.engine != DEFAULT_ENGINE or data.get("complete") is False or not is_plain:
        return False
    try:
        settings = EngineSettings.from_data(data["settings"])
    except (KeyError, TypeError, ValueError):
        return False
    return settings == EngineSettings(settings.threads, repack=settings.repack, gpu_layers=settings.gpu_layers)


def _measurement(entry: Entry, data: Mapping[str, Any], prompt: Mapping[str, Any]) -> Measurement:
    """The speed in ``data``, and that of reading a prompt in ``prompt``, which may be empty.

    Raises:
        KeyError, TypeError, ValueError: something is missing or is not what it has to be.
    """
    decode, settings = data["decode_tps"], data["settings"]
    conditions = {
        "cpu": entry.cpu,
        "build": entry.build,
        "threads": settings["threads"],
        "repack": settings.get("repack", False),
        "device": _device(data),
    }
    return Measurement.from_data(
        {
            "conditions": conditions,
            "variant_id": data["variant_id"] or os.path.realpath(data["path"]),
            "quant": data["quant"] or "",
            "weights_bytes": data["size_bytes"] if data["weights_bytes"] is None else data["weights_bytes"],
            "depth_tokens": data["depth_tokens"],
            "decode_tps": decode["mean"],
            "decode_stdev_tps": decode["stdev"],
            "prompt_tokens": prompt["prompt_tokens"] if prompt else 0,
            "prefill_tps": prompt["prompt_tps"]["mean"] if prompt else 0.0,
            "made_at": entry.made_at,
        }
    )


def _device(data: Mapping[str, Any]) -> Any:
    """Where all layers were; None where two devices shared them, or where nobody knows.

    Runs of earlier versions do not say it: it is certain without a GPU, and without layers for one.
    """
    if data["device"] is not None:
        return data["device"]
    return "cpu" if data["settings"].get("gpu_layers") == 0 or not data["hardware"]["gpus"] else None
