"""The command that measures the same again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from phicli.bench.runs.conditions import model_name
from phicli.bench.types import Run


def command_of(runs: Sequence[Run]) -> str:
    """What to type to measure ``runs`` (at least one) again, with what ``phi`` would choose by itself written out."""
    words = ["phi", "bench", *_distinct(_name(run) for run in runs)]
    for option, default, value in _OPTIONS:
        values = _distinct(value(run) for run in runs)
        if values != [default] and "" not in values:
            words += [option, ",".join(values)]
    contexts = {run.context_tokens for run in runs}
    if len(contexts) == 1:  # else each run had what it needed
        words += ["--context", str(contexts.pop())]
    return shlex.join([*words, "--repeat", str(max(1, *(len(run.samples) for run in runs)))])


def _name(run: Run) -> str:
    """What was measured, as it is typed."""
    name = model_name(run)
    return str(run.subject.path) if name.lower().endswith(".gguf") else name


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _switch(value: bool) -> str:
    return "on" if value else "off"


_OPTIONS: Final[tuple[tuple[str, str, Callable[[Run], str]], ...]] = (
    ("--engine", "xllamacpp", lambda run: run.subject.engine),
    ("--prompt-tokens", "", lambda run: str(run.workload.prompt_tokens)),
    ("--tokens", "", lambda run: str(run.workload.generated_tokens)),
    ("--depth", "0", lambda run: str(run.workload.depth_tokens)),
    ("--threads", "", lambda run: str(run.settings.threads)),
    ("--batch-size", "128", lambda run: str(run.settings.batch_tokens)),
    ("--kv-type", "f16", lambda run: run.settings.kv_type),
    ("--flash-attention", "auto", lambda run: run.settings.flash_attention),
    ("--repack", "off", lambda run: _switch(run.settings.repack)),
    ("--gpu-layers", "", lambda run: "" if run.settings.gpu_layers < 0 else str(run.settings.gpu_layers)),
)
