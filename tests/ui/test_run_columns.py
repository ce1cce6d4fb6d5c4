"""``phi bench --csv`` and ``phi runs export --csv`` have the same columns."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from phicli.records.history import entry_of
from phicli.ui.bench.export_formats import export_text
from phicli.ui.bench.printers import print_csv
from phicli.ui.terminal import Terminal
from tests.support.runs import adapter, drafted, run, with_adapters


def of_bench(*runs: object) -> list[list[str]]:
    out = io.StringIO(newline="")
    print_csv(Terminal(io.StringIO(), out, io.StringIO(), colour=False), runs)  # type: ignore[arg-type]
    return list(csv.reader(io.StringIO(out.getvalue(), newline="")))


def of_export(*entries: object) -> list[list[str]]:
    return list(csv.reader(io.StringIO(export_text(entries, "csv"), newline="")))  # type: ignore[arg-type]


def test_the_same_run_is_the_same_record() -> None:
    runs = [run(), run("phi-4", None, energy_j=3.0, warnings=("one", "two"))]
    assert of_bench(*runs) == of_export(*map(entry_of, runs))


def test_speculation_is_in_columns() -> None:
    head, *records = of_bench(*drafted())
    rows = [dict(zip(head, record, strict=True)) for record in records]
    names = ("speculation", "text", "accepted_share", "equal_answers", "compared_answers")
    assert [tuple(row[name] for name in names) for row in rows[1:3]] == [
        ("none", "new", "", "", ""), ("ngram-simple", "copy", "0.7", "4", "5")
    ]  # fmt: skip


def test_other_kinds_fill_the_same_columns_and_add_their_own() -> None:
    one = entry_of(run())
    data = {
        "settings": {"threads": 4, "seed": 1}, "prompt_tps": {"mean": 2.5}, "accuracy": {"low": 0.5},
        "warnings": ["one", "two"], "levels": [{"a": 1}], "hardware": {"memory_total_bytes": 7},
    }  # fmt: skip
    head, first, second = of_export(one, replace(one, run_id="r2", kind="eval", data=data))
    assert head[: len(of_bench(run())[0])] == of_bench(run())[0]
    assert head[len(of_bench(run())[0]) :] == ["seed", "accuracy_low", "levels"]
    record = dict(zip(head, second, strict=True))
    assert (record["run_id"], record["kind"], record["processor"]) == ("r2", "eval", one.cpu)
    assert (record["threads"], record["prompt_tps_mean"], record["memory_total_bytes"]) == ("4", "2.5", "7")
    assert (record["accuracy_low"], record["warnings"], record["levels"]) == ("0.5", "one; two", '[{"a": 1}]')
    assert first[-3:] == ["", "", ""]


def test_a_damaged_run_is_exported_as_far_as_it_can_be_read() -> None:
    head, record = of_export(replace(entry_of(run()), data={"threads": "many", "odd": 1}))
    assert dict(zip(head, record, strict=True))["odd"] == "1"


def test_adapters_are_in_one_cell() -> None:
    one = with_adapters(run(), adapter(scale=0.5), adapter("style"))
    other = {"adapters": [adapter().to_data(), {"name": "damaged"}]}
    rows = of_export(entry_of(one), replace(entry_of(run()), kind="eval", data=other), entry_of(run()))
    assert [dict(zip(rows[0], row, strict=True))["adapters"] for row in rows[1:]] == ["my-run:0.5+style", "my-run", ""]
