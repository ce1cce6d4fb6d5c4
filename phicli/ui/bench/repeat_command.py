"""The command that measures the same again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from phicli.catalog.display_name import display_name
from phicli.catalog.names import PLUS
from phicli.engine.settings import FIELDS, value_text
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.records.run import Run


def command_of(
    runs: Sequence[Run], *, llama_server: Path | None = None, quick: bool = False, quality: bool = True
) -> str:
    """What to type to measure ``runs`` (at least one) again, with what ``phi`` would choose by itself written out.

    Typed again it gives the same models, engines, settings, workloads, contexts and repetitions. ``llama_server``,
    ``quick`` and ``quality`` are options that runs do not record.
    """
    words = ["phi", "bench", *_distinct(_name(run) for run in runs), *(["--quick"] if quick else [])]
    words += _option("--engine", DEFAULT_ENGINE, (run.subject.engine for run in runs))
    if llama_server is not None:
        words += ["--llama-server", str(llama_server)]
    words += _work(runs)
    texts = any(run.workload.text for run in runs)
    for name, field in FIELDS.items():
        values = (_typed(getattr(run.settings, name)) for run in _telling(runs, name))
        typed = name == "speculation" and texts  # then none asks for the texts
        words += _option(field.option, "" if typed else value_text(field.default), values)
    contexts = {run.context_tokens for run in runs}
    if len(contexts) == 1:  # else each run had what it needed
        words += ["--context", str(contexts.pop())]
    words += ["--repeat", str(max(_repeat(run) for run in runs)), *([] if quality or texts else ["--no-quality"])]
    return shlex.join(words)


def _name(run: Run) -> str:
    """What was measured, as it is typed: a path, else a name with the quant where it can have one; then adapters."""
    subject = run.subject
    name, path = display_name(subject.model, subject.quant), str(subject.path)
    if subject.model.lower().endswith(".gguf") or subject.path.name == subject.model:
        name = f"./{path}" if path.startswith("-") else path
    return PLUS.join([name, *(adapter.typed for adapter in subject.adapters)])


def _work(runs: Sequence[Run]) -> list[str]:
    """The lengths. A workload may have one part only, and the zeros of the other ask for nothing."""
    work = [run.workload for run in runs]
    prompts = _distinct(str(one.prompt_tokens) for one in work if one.prompt_tokens)
    tokens = _distinct(str(one.generated_tokens) for one in work if one.generated_tokens)
    depths = _distinct(str(one.depth_tokens) for one in work if one.generated_tokens and not one.text)
    words = ["--prompt-tokens", ",".join(prompts) or "0", "--tokens", ",".join(tokens) or "0"]
    return words if depths in ([], ["0"]) else [*words, "--depth", ",".join(depths)]


def _option(option: str, default: str, found: Iterable[str]) -> list[str]:
    """``option`` with the values that were ``found``; nothing where the machine or the engine chose."""
    values = _distinct(found)
    return [] if values == [default] or "" in values else [option, ",".join(values)]


def _telling(runs: Sequence[Run], name: str) -> Sequence[Run]:
    """``runs`` in the order in which they tell the values of the setting ``name``.

    A quantized cache leaves flash attention's ``off`` out of a grid, so the others have all values in their order.
    """
    return sorted(runs, key=lambda run: run.settings.kv_type != "f16") if name == "flash_attention" else runs


def _repeat(run: Run) -> int:
    """How often it was to be measured, even where it was interrupted."""
    asked = run.extra.get("repeat")
    return asked if isinstance(asked, int) else max(1, len(run.samples))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _typed(value: Any) -> str:
    """The value of a setting as it is typed; empty where the engine chooses."""
    return "" if isinstance(value, int) and value < 0 else value_text(value)
