"""Which remote a misspelled name means."""

from __future__ import annotations

import pytest

from phicli.remotes.close_names import closest


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("esat", "east"), ("ESAT", "east"), ("wst", "west"), ("eas", "east"), ("east2", "east"), ("microsoft", None)],
)
def test_the_closest_name(typed: str, meant: str | None) -> None:
    assert closest(typed, ("west", "east")) == meant
    assert closest(typed, ("east", "west")) == meant
