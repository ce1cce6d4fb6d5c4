"""The command that measures the same again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from phicli.catalog.display_name import name_of
from phicli.records.run import Run


def command_of(
    runs: Sequence[Run], *, llama_server: Path | None = None, quick: bool = False, quality: bool = True
) -> str:
    """What to type to measure ``runs`` (at least one) again, with what ``phi`` would choose by itself written out.

    Typed again it gives the same models, engines, settings, workloads, contexts and repetitions. ``llama_server``,
    ``quick`` and ``quality`` are options that runs do not tell.
    """
    words = ["phi", "bench", *_distinct(_name(run) for run in runs), *(["--quick"] if quick else [])]
    words += _option("--engine", "xllamacpp", (run.subject.engine for run in runs))
    if llama_server is not None:
        words += ["--llama-server", str(llama_server)]
    words += _work(runs)
    for option, default, value in _SETTINGS:
        words += _option(option, default, map(value, _telling(runs, option)))
    contexts = {run.context_tokens for run in runs}
    if len(contexts) == 1:  # else each run had what it needed
        words += ["--context", str(contexts.pop())]
    words += ["--repeat", str(max(_repeat(run) for run in runs)), *([] if quality else ["--no-quality"])]
    return shlex.join(words)


def _name(run: Run) -> str:
    """What was measured, as it is typed: a path, else a name, with the quant where a name can have one."""
    subject = run.subject
    if subject.model.lower().endswith(".gguf") or subject.path.name == subject.model:
        path = str(subject.path)
        return f"./{path}" if path.startswith("-") else path
    return name_of(subject)


def _work(runs: Sequence[Run]) -> list[str]:
    """The lengths. A workload may have one part only, and the zeros of the other ask for nothing."""
    work = [run.workload for run in runs]
    prompts = _distinct(str(one.prompt_tokens) for one in work if one.prompt_tokens)
    tokens = _distinct(str(one.generated_tokens) for one in work if one.generated_tokens)
    depths = _distinct(str(one.depth_tokens) for one in work if one.generated_tokens)
    words = ["--prompt-tokens", ",".join(prompts) or "0", "--tokens", ",".join(tokens) or "0"]
    return words if depths in ([], ["0"]) else [*words, "--depth", ",".join(depths)]


def _option(option: str, default: str, found: Iterable[str]) -> list[str]:
    """``option`` with the values that were ``found``; nothing where the machine or the engine chose."""
    values = _distinct(found)
    return [] if values == [default] or "" in values else [option, ",".join(values)]


def _telling(runs: Sequence[Run], option: str) -> Sequence[Run]:
    """``runs`` in the order in which they tell the values of ``option``.

    A quantised cache leaves flash attention's ``off`` out of a grid, so the others have all values in their order.
    """
    return sorted(runs, key=lambda run: run.settings.kv_type != "f16") if option == _FLASH else runs


def _repeat(run: Run) -> int:
    """How often it was to be measured, even where it was interrupted."""
    asked = run.extra.get("repeat")
    return asked if isinstance(asked, int) else max(1, len(run.samples))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _switch(value: bool) -> str:
    return "on" if value else "off"


_FLASH: Final = "--flash-attention"
_SETTINGS: Final[tuple[tuple[str, str, Callable[[Run], str]], ...]] = (
    ("--threads", "", lambda run: str(run.settings.threads)),
    ("--batch-size", "128", lambda run: str(run.settings.batch_tokens)),
    ("--kv-type", "f16", lambda run: run.settings.kv_type),
    (_FLASH, "auto", lambda run: run.settings.flash_attention),
    ("--repack", "off", lambda run: _switch(run.settings.repack)),
    ("--gpu-layers", "", lambda run: "" if run.settings.gpu_layers < 0 else str(run.settings.gpu_layers)),
)
