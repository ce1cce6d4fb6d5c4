"""``phi runs list``: whatever the width, what tells the rows apart is in them."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.settings import EngineSettings
from phicli.records.history import Entry, entry_of
from phicli.records.run import Workload
from phicli.ui.bench.run_list import listed_data, print_list, rows_of
from phicli.ui.terminal import Terminal
from tests.support.runs import adapter, run, subject, with_adapters
from tests.ui.test_terminal import Screen, shown


def of(run_id: str, settings: EngineSettings, **more: object) -> Entry:
    return entry_of(replace(run(), run_id=run_id, settings=settings, **more))


ONE = of("r1", EngineSettings(1))
DIFFERENT = {
    "threads": (of("r2", EngineSettings(2)), ("1 thread", "2 threads")),
    "KV cache": (of("r2", EngineSettings(1, kv_type="q8_0")), ("kv f16", "kv q8_0")),
    "repacking": (of("r2", EngineSettings(1, repack=True)), ("repack off", "repack on")),
    "work": (of("r2", EngineSettings(1), workload=Workload(512, 128, 2048)), ("512 + 128", "@ 2048")),
    "engine": (replace(ONE, run_id="r2", build="llama-server b9000"), ("xllamacpp", "b9000")),
    "processor": (replace(ONE, run_id="r2", cpu="AMD EPYC"), ("Xeon(R)", "AMD EPYC")),
    "quantization": (replace(ONE, run_id="r2", quant="Q8_0"), ("q4_k_m", "q8_0")),
}


def words(monkeypatch: pytest.MonkeyPatch, entries: Sequence[Entry], width: int) -> list[str]:
    """The text of each row, however it is wrapped."""
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal(io.StringIO(), Screen(), io.StringIO(), colour=False)
    print_list(terminal, entries, more=False, as_json=False)
    lines = shown(terminal.stdout).splitlines()
    assert max(map(len, lines)) <= width
    starts = [place for place, line in enumerate(lines) if re.match(r"r\d", line)]
    columns = [match.start() for match in re.finditer(r"\S+(?: \S+)*", lines[0])] + [width]
    rows = [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    ends = list(itertools.pairwise(columns))
    cells = [[" ".join(line[start:end].strip() for line in row) for start, end in ends] for row in rows]
    return [" | ".join(row) for row in cells]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 250])
@pytest.mark.parametrize("what", DIFFERENT)
def test_what_differs_is_in_the_rows(monkeypatch: pytest.MonkeyPatch, what: str, width: int) -> None:
    other, texts = DIFFERENT[what]
    first, second = (row.replace(" ", "") for row in words(monkeypatch, [ONE, other], width))
    assert texts[0].replace(" ", "") in first
    assert texts[1].replace(" ", "") in second


def test_settings_that_are_alike_are_not_shown() -> None:
    assert [row["settings"] for row in rows_of([ONE, replace(ONE, run_id="r2")])] == ["", ""]


def test_files_of_the_same_name_have_their_path() -> None:
    files = [replace(subject("m.gguf", None), path=Path(f"/{folder}/m.gguf")) for folder in "ab"]
    entries = [of(f"r{place}", EngineSettings(1), subject=file) for place, file in enumerate(files)]
    assert [row["model"] for row in rows_of(entries)] == ["/a/m.gguf", "/b/m.gguf"]


def test_evaluations_have_their_set_and_their_own_settings() -> None:
    data = {"set": "arithmetic", "asked": 50, "settings": {"threads": 2, "seed": 1}}
    one = replace(ONE, kind="eval", data=data)
    other = replace(one, run_id="r2", data=data | {"set": "mine", "settings": {"threads": 2, "seed": 7}})
    assert [(row["work"], row["settings"]) for row in rows_of([one, other])] == [
        ("arithmetic (50)", "seed 1"),
        ("mine (50)", "seed 7"),
    ]


def test_json_has_the_settings() -> None:
    assert listed_data(ONE)["settings"] == EngineSettings(1).to_data()


def test_in_a_pipe_the_columns_are_always_the_same() -> None:
    out = io.StringIO()
    print_list(Terminal(io.StringIO(), out, io.StringIO(), colour=False), [ONE], more=False, as_json=False)
    heads = ["RUN", "MADE", "KIND", "MODEL", "WORK", "RESULT", "ENGINE", "PROCESSOR", "SETTINGS"]
    assert out.getvalue().splitlines()[0].split() == heads


def test_adapters_are_part_of_the_name() -> None:
    tuned, plain = with_adapters(run(), adapter(scale=0.5)), run()
    assert [row["model"] for row in rows_of([entry_of(tuned), entry_of(plain)])] == [
        "phi-4-mini:q4_k_m+my-run:0.5", "phi-4-mini:q4_k_m"
    ]  # fmt: skip
    elsewhere = replace(tuned, subject=replace(tuned.subject, path=Path("/elsewhere/x.gguf")))
    assert [row["model"] for row in rows_of([entry_of(tuned), entry_of(elsewhere)])] == [
        f"{tuned.subject.path}+my-run:0.5", "/elsewhere/x.gguf+my-run:0.5"
    ]  # fmt: skip
    assert listed_data(entry_of(tuned))["adapters"] == [adapter(scale=0.5).to_data()]
