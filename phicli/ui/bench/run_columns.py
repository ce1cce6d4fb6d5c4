"""The columns of runs in CSV: the same for ``phi bench --csv`` and ``phi runs export --csv``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.bench.runs.run_files import run_of
from phicli.catalog.names import PLUS
from phicli.engine.settings import FIELDS
from phicli.errors import PhiError
from phicli.records.adapters import MeasuredAdapter, readable_adapters
from phicli.records.history import Entry
from phicli.records.run import Run
from phicli.ui.bench.cells import Cell
from phicli.ui.bench.run_facts import processor


def labels_of(adapters: Sequence[MeasuredAdapter]) -> str:
    """The adapters of a model in one cell, as they are typed behind its name."""
    return PLUS.join(adapter.label for adapter in adapters)


Record = Mapping[str, Cell]

_UNNAMED: Final = ("data", "settings")
"""Parts of an entry whose values stand under their own names."""
_OTHER_NAMES: Final = {"cpu": "processor", "hardware_memory_total_bytes": "memory_total_bytes"}


def run_record(run: Run) -> Record:
    """Column to value of a run; units are in the names of the columns."""
    data = run.to_data()
    return {name: value(run, data) for name, value in COLUMNS.items()}


def entry_records(entries: Sequence[Entry]) -> tuple[list[str], list[Record]]:
    """The columns of all ``entries``, and a record for each.

    Runs of other kinds have columns of their own behind those of :data:`COLUMNS`: a value is named by the way to it
    (``accuracy_estimate``), and lists are JSON.
    """
    records = [_entry_record(entry) for entry in entries]
    return list(dict.fromkeys([*COLUMNS, *(name for record in records for name in record)])), records


def _entry_record(entry: Entry) -> Record:
    if entry.kind == "run":
        try:
            return run_record(run_of(entry))
        except PhiError:  # what can be read of it is exported all the same
            pass
    return dict(_flat(entry.to_data()))


def _flat(data: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Cell]]:
    for name, value in data.items():
        whole = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, before if name in _UNNAMED else f"{whole}_")
        elif whole == "adapters":
            yield whole, labels_of(tuple(readable_adapters(value)))
        elif isinstance(value, list):
            texts = name == "warnings" and all(isinstance(one, str) for one in value)
            yield whole, "; ".join(value) if texts else json.dumps(value)
        else:
            yield _OTHER_NAMES.get(whole, whole), value


def _field(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    """What the JSON of a run has under ``name``."""
    return lambda _, data: data[name]


def _extra(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda run, _: run.extra.get(name)


def _setting(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda _, data: data["settings"][name]


def _mean(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda _, data: data[name]["mean"] if data[name] else None


def _stdev(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda _, data: data[name]["stdev"] if data[name] else None


COLUMNS: Final[Mapping[str, Callable[[Run, Mapping[str, Any]], Cell]]] = {
    **{name: _field(name) for name in ("run_id", "made_at")},
    "kind": lambda *_: "run",
    **{name: _field(name) for name in ("model", "quant", "engine", "build")},
    **{name: _setting(name) for name in FIELDS},
    **{name: _field(name) for name in ("context_tokens", "depth_tokens", "prompt_tokens", "generated_tokens", "text")},
    "repetitions": lambda run, _: len(run.samples),
    "complete": _field("complete"),
    "prompt_tps_mean": _mean("prompt_tps"),
    "prompt_tps_stdev": _stdev("prompt_tps"),
    "decode_tps_mean": _mean("decode_tps"),
    "decode_tps_stdev": _stdev("decode_tps"),
    "ttft_ms_mean": _mean("ttft_ms"),
    "ttft_ms_stdev": _stdev("ttft_ms"),
    "cold_ttft_ms": _field("cold_ttft_ms"),
    "load_ms": _field("load_ms"),
    "peak_rss_bytes": _field("peak_rss_bytes"),
    "peak_anonymous_bytes": _field("peak_anonymous_bytes"),
    "tokens_per_joule_mean": _mean("tokens_per_joule"),
    "tokens_per_joule_stdev": _stdev("tokens_per_joule"),
    "accepted_share": _field("accepted_share"),
    **{name: _extra(name) for name in ("equal_answers", "compared_answers")},
    "size_bytes": _field("size_bytes"),
    "sha256": _field("sha256"),
    "path": _field("path"),
    "processor": lambda run, _: processor(run),
    "memory_total_bytes": lambda run, _: run.hardware.get("memory_total_bytes"),
    "load_average": _field("load_average"),
    "warnings": lambda run, _: "; ".join(run.warnings),
    "adapters": lambda run, _: labels_of(run.subject.adapters),
}
"""Column to its value, given a run and its JSON."""
