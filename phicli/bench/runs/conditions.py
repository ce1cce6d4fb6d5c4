"""Under which conditions a run was made, and in which of them two runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phicli.bench.measuring.surroundings import Surroundings, busy_warning
from phicli.catalog.display_name import name_of
from phicli.engine.settings import FIELDS, value_text
from phicli.hardware.types import Cpu
from phicli.records.run import Run, Subject, Workload
from phicli.records.workload_texts import TEXTS


def workload_text(workload: Workload) -> str:
    """``512 + 128 tokens``, with depth and text where there are: ``0 + 128 tokens after 2048``."""
    depth = f" after {workload.depth_tokens}" if workload.depth_tokens else ""
    text = f" of {TEXTS[workload.text]}" if workload.text else ""
    return f"{workload.prompt_tokens} + {workload.generated_tokens} tokens{text}{depth}"


def subject_differences(ours: Run, theirs: Run) -> tuple[str, ...]:
    """In what the file and its engine differ, as ``quant: Q8_0, now Q4_K_M``; the build of the engine is not asked.

    Names do not matter where the hashes are known.
    """
    mine, other = ours.subject, theirs.subject
    found = _adapter_differences(mine, other) + _difference("engine", mine.engine, other.engine)
    if mine.sha256 and other.sha256:
        if mine.sha256 == other.sha256:
            return found
        content = (mine.sha256[:12], f"SHA-256 {other.sha256[:12]}")
    else:
        content = (str(mine.size_bytes), f"{other.size_bytes} bytes")
    names = _difference("model", mine.model, other.model) + _difference("quant", mine.quant, other.quant)
    same_size = mine.size_bytes == other.size_bytes and not (mine.sha256 and other.sha256)
    return names + (() if names or same_size else _difference("file content", *content)) + found


def _adapter_differences(ours: Subject, theirs: Subject) -> tuple[str, ...]:
    """Whether other adapters were used, or files that have changed; what they are called does not matter."""
    if [one.mark for one in ours.adapters] == [one.mark for one in theirs.adapters]:
        return ()
    mine, other = ([one.label for one in subject.adapters] for subject in (ours, theirs))
    if mine == other:
        mine, other = ([f"SHA-256 {one.sha256[:12]}" for one in subject.adapters] for subject in (ours, theirs))
    return _difference("adapters", _plain(mine), _plain(other))


def settings_differences(ours: Run, theirs: Run) -> tuple[str, ...]:
    """In which settings they differ, as ``threads: 2, now 1``.

    The context that was allocated is not asked: it follows from all that one command measures, and time depends on what
    of it is filled.
    """
    mine, other = ours.settings.to_data(), theirs.settings.to_data()
    return tuple(text for name, field in FIELDS.items() for text in _difference(field.label, mine[name], other[name]))


def workload_differences(ours: Run, theirs: Run) -> tuple[str, ...]:
    """Whether they did other work."""
    return _difference("workload", workload_text(ours.workload), workload_text(theirs.workload))


def machine_differences(ours: Run, theirs: Run) -> tuple[str, ...]:
    """In what the machine and the build of the engine differ; what one of them does not report is not compared."""
    found: tuple[str, ...] = ()
    for name, word in (("cpu", "processor"), ("physical_cores", "cores"), ("gpus", "GPUs")):
        mine, other = ours.hardware.get(name), theirs.hardware.get(name)
        if mine is not None and other is not None:
            found += _difference(word, _plain(mine), _plain(other))
    if ours.subject.engine == theirs.subject.engine and ours.subject.build and theirs.subject.build:
        found += _difference("engine build", ours.subject.build, theirs.subject.build)
    return found


def differences(ours: Run, theirs: Run) -> tuple[str, ...]:
    """All that makes ``ours`` no repetition of ``theirs``: empty where it is one."""
    return (
        *subject_differences(ours, theirs),
        *settings_differences(ours, theirs),
        *workload_differences(ours, theirs),
        *machine_differences(ours, theirs),
    )


def interruption(run: Run) -> tuple[str, ...]:
    """That it lacks some of its repetitions, as ``interrupted after 2 of 5 repetitions``; empty where it has."""
    if run.complete:
        return ()
    parts = {"prompt_ms": run.workload.prompt_tokens, "decode_ms": run.workload.generated_tokens}
    asked = [name for name, tokens in parts.items() if tokens]
    done = min((sum(getattr(one, name) is not None for one in run.samples) for name in asked), default=0)
    repeat = run.extra.get("repeat")
    return (
        f"interrupted after {done} of {repeat} repetitions" if repeat is not None and done < repeat else "interrupted",
    )


def busy_words(run: Run) -> str | None:
    """Words for what else the machine did while ``run`` was made, according to its record; None when it was idle."""
    hardware = run.hardware
    threads = hardware.get("threads") or hardware.get("physical_cores") or 1
    cpu = Cpu(str(hardware.get("cpu")), hardware.get("physical_cores") or 1, threads)
    around = Surroundings(cpu, None, (), str(hardware.get("system")), run.load_average)
    return busy_warning(around, run.extra.get("others_busy_cores"))


def labels_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """A name for each run: its model, and what distinguishes it from the others, as ``phi-4-mini:q8_0, 2 threads``.

    Work is not part of it: runs that differ in that alone have the same label.
    """
    facts = [_facts(run) for run in runs]
    varying = [name for name in (facts[0] if facts else {}) if len({one[name] for one in facts}) > 1]
    return tuple(
        ", ".join([name_of(run.subject), *(one[name] for name in varying)])
        for run, one in zip(runs, facts, strict=True)
    )


def _facts(run: Run) -> dict[str, str]:
    """What can tell a run from another one of the same model, in words."""
    settings = {name: field.phrase(getattr(run.settings, name)) for name, field in FIELDS.items()}
    return {"engine": run.subject.engine, **settings}


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def _difference(name: str, ours: Any, theirs: Any) -> tuple[str, ...]:
    return () if ours == theirs else (f"{name}: {_said(theirs)}, now {_said(ours)}",)


def _said(value: Any) -> str:
    return "none" if value is None else value_text(value)
