"""What came of a run, in a few words."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.records.history import Entry
from phicli.ui.bench.headline import headline


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


def test_a_kind_that_nobody_knows_has_no_headline() -> None:
    assert headline(entry("of-tomorrow", {"levels": [{"throughput_tps": 1.0}]})) == ""
