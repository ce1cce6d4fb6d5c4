"""Adapters in saved measurements, which anybody may have edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phicli.records.adapters import readable_adapters
from tests.support.runs import adapter

SAVED = adapter("my-run", 0.5).to_data()


def test_what_was_saved_is_read() -> None:
    assert list(readable_adapters(json.loads(json.dumps([SAVED])))) == [adapter("my-run", 0.5)]


@pytest.mark.parametrize(
    "bad", [None, 5, "my-run", {}, {**SAVED, "path": 5}, {**SAVED, "scale": "x"}, {**SAVED, "size_bytes": 1e999}]
)
def test_what_cannot_be_an_adapter_is_left_out(bad: Any) -> None:
    assert list(readable_adapters([bad, SAVED])) == [adapter("my-run", 0.5)]


def test_no_list_has_no_adapters() -> None:
    assert list(readable_adapters({"name": "my-run"})) == []
