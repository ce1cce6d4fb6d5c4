"""Files of runs with fields that are not what they have to be: the message names the field and what it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.runs.run_fields import flaws
from phicli.bench.runs.run_files import read_runs, run_of
from phicli.errors import IntegrityError
from phicli.records.history import Entry
from phicli.records.run import Run
from tests.support.runs import adapter, depths, drafted, quants, run, threads, with_adapters

HUGE = 10**40
DAMAGED: list[tuple[dict[str, Any], str]] = [
    ({"complete": "false"}, 'complete is "false"; it must be true or false'),
    ({"complete": None}, "complete is null; it must be true or false"),
    ({"load_ms": float("inf")}, "load_ms is Infinity; it must be a number of milliseconds, at least 0"),
    ({"load_ms": float("nan")}, "load_ms is NaN; it must be a number of milliseconds"),
    ({"load_ms": -1}, "load_ms is -1; it must be a number of milliseconds"),
    ({"load_ms": None}, "load_ms is null; it must be a number of milliseconds"),
    ({"size_bytes": HUGE}, "it must be a whole number of bytes, from 0 to one exbibyte"),
    ({"size_bytes": -5}, "size_bytes is -5; it must be a whole number of bytes"),
    ({"size_bytes": True}, "size_bytes is true; it must be a whole number of bytes"),
    ({"context_tokens": 2.5}, "context_tokens is 2.5; it must be a whole number from 0 to"),
    ({"generated_tokens": HUGE}, "it must be a whole number from 0 to 2,147,483,648"),
    ({"prompt_tokens": 0, "generated_tokens": 0}, "prompt_tokens and generated_tokens are both 0"),
    ({"cold_ttft_ms": float("inf")}, "cold_ttft_ms is Infinity; it must be"),
    ({"peak_rss_bytes": -1}, "peak_rss_bytes is -1; it must be"),
    ({"load_average": float("nan")}, "load_average is NaN; it must be a number of at least 0, or null"),
    ({"others_busy_cores": float("-inf")}, "others_busy_cores is -Infinity; it must be"),
    ({"repeat": "five"}, 'repeat is "five"; it must be a whole number from 1 to'),
    ({"adapters": "my-run"}, 'adapters is "my-run"; it must be a list of objects'),
    ({"adapters": [{}]}, "adapter 1: name is missing; it must be a non-empty string"),
    (
        {"adapters": [{**adapter().to_data(), "scale": float("nan")}]},
        "adapter 1: scale is NaN; it must be a number from",
    ),
    ({"adapters": [{**adapter().to_data(), "sha256": "x"}]}, 'adapter 1: sha256 is "x"; it must be 64 lower-case'),
    ({"model": 5}, "model is 5; it must be a non-empty string"),
    ({"model": {"a": 1}}, "model is an object with 1 values; it must be a non-empty string"),
    ({"path": None}, "path is null; it must be a non-empty string"),
    ({"sha256": "abc"}, 'sha256 is "abc"; it must be 64 lower-case hexadecimal digits'),
    ({"warnings": "busy"}, 'warnings is "busy"; it must be a list of strings'),
    ({"samples": {}}, "samples is an object with 0 values; it must be a list of objects"),
    ({"samples": [None]}, "samples is a list with 1 values; it must be a list of objects"),
    ({"samples": [{}, {"decode_ms": -3}]}, "sample 2: decode_ms is -3; it must be a number of milliseconds above 0"),
    ({"samples": [{"energy_j": float("nan")}]}, "sample 1: energy_j is NaN; it must be a number of at least 0"),
    ({"text": "poem"}, 'text is "poem"; it must be one of copy, new, or null'),
    ({"equal_answers": -1}, "equal_answers is -1; it must be a whole number from 0 to"),
    ({"samples": [{"draft_tokens": 1.5}]}, "sample 1: draft_tokens is 1.5; it must be a whole number from 0 to"),
    ({"samples": [{"answer_sha256": "x"}]}, 'sample 1: answer_sha256 is "x"; it must be 64 lower-case'),
    ({"settings": {"threads": 2, "speculation": "x"}}, 'settings.speculation is "x"; it must be one of none, '),
    ({"settings": None}, "settings is null; it must be an object"),
    ({"settings": {}}, "settings.threads is missing; it must be a whole number from 1 to"),
    ({"settings": {"threads": 2, "kv_type": "f17"}}, 'settings.kv_type is "f17"; it must be one of f16, q8_0, q4_0'),
    ({"settings": {"threads": 2, "repack": "off"}}, 'settings.repack is "off"; it must be true or false'),
    ({"hardware": []}, "hardware is a list with 0 values; it must be an object"),
    ({"hardware": {"gpus": "none"}}, 'hardware.gpus is "none"; it must be a list of strings, or null'),
    ({"hardware": {"threads": float("nan")}}, "hardware.threads is NaN; it must be a whole number"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGED, ids=[str(damage)[:40] for damage, _ in DAMAGED])
def test_the_message_names_the_field(tmp_path: Path, damage: dict[str, Any], said: str) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(run().to_data() | damage), encoding="utf-8")
    with pytest.raises(IntegrityError) as caught:
        read_runs(path)
    assert caught.value.exit_code == 8
    assert caught.value.message.startswith(f"{path}: run 20261122-phi-4-mini-q4_k_m: ")
    assert said in caught.value.message
    assert not any(word in caught.value.message for word in ("Error", "None", "dict", "'", "object at"))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["run_id", "model", "quant", "path", "engine", "samples", "settings", "hardware"])
def test_a_field_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    data = {**run().to_data(), "load_average": -1}
    del data[name]
    entry = Entry("abc", "2026", "run", "m", None, "e", "b", "c", data)
    message = rf"the saved run abc: .*{name} is missing; it must be .* \(and 1 more\)"
    with pytest.raises(IntegrityError, match=message):
        run_of(entry)


ADAPTED = with_adapters(run(), adapter(scale=0.5), adapter("style", sha256="34" * 32))


@pytest.mark.parametrize(
    "one", [*quants(), *depths(), *threads(), *drafted(), run(peak=None, load_average=None), ADAPTED]
)
def test_what_phi_writes_has_no_flaw(one: Run) -> None:
    assert list(flaws(json.loads(json.dumps(one.to_data())))) == []


@pytest.mark.parametrize("one", [*drafted(), ADAPTED])
def test_drafts_texts_and_adapters_are_saved_and_read(one: Run) -> None:
    assert Run.from_data(json.loads(json.dumps(one.to_data()))) == one


def test_what_may_be_missing() -> None:
    data = run().to_data()
    del data["text"], data["settings"]["speculation"]
    assert Run.from_data(data) == run()
    for name in (
        "variant_id",
        "sha256",
        "cold_ttft_ms",
        "load_average",
        "warnings",
        "complete",
        "peak_rss_bytes",
        "adapters",
    ):
        del data[name]
    assert list(flaws(data)) == []
