"""What came of a run, in a few words."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.records.history import Entry
from phicli.ui.bench.headline import headline, work_of


def entry(kind: str, data: dict[str, Any]) -> Entry:
    return Entry("r", "2026-01-01T00:00:00+00:00", kind, "m", None, "e", "b", "c", data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"levels": [{"throughput_tps": 10.0}, {"throughput_tps": 31.5}, {"throughput_tps": 20.0}]}, "31.5 t/s"),
        ({"levels": [{"throughput_tps": None}, {"throughput_tps": 20.0}]}, "20.0 t/s"),
        ({"levels": [{"throughput_tps": True}, 3, None]}, ""),
        ({"levels": []}, ""),
        ({"levels": "no list"}, ""),
        ({}, ""),
    ],
)
def test_an_endpoint_is_shown_with_the_most_that_it_gave(data: dict[str, Any], said: str) -> None:
    assert headline(entry("endpoint", data)) == said


def test_a_text_is_part_of_the_work() -> None:
    lengths = {"prompt_tokens": 0, "generated_tokens": 128, "depth_tokens": 0}
    assert work_of(entry("run", {**lengths, "text": "copy"})) == "0 + 128, copy"
    assert work_of(entry("run", {**lengths, "text": None})) == work_of(entry("run", lengths)) == "0 + 128"


def test_a_kind_that_nobody_knows_has_no_headline() -> None:
    assert headline(entry("of-tomorrow", {"levels": [{"throughput_tps": 1.0}]})) == ""
