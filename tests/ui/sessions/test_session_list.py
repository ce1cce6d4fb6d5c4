"""The age of a session in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from phicli.ui.sessions.session_list import age_of

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=-90), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=13), "13 days ago"),
        (timedelta(days=14), "2 weeks ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=729), "23 months ago"),
        (timedelta(days=731), "2 years ago"),
        (timedelta(days=36525), "100 years ago"),
    ],
)
def test_ages(ago: timedelta, words: str) -> None:
    assert age_of((NOW - ago).isoformat(), NOW) == words


@pytest.mark.parametrize("time", ["", "1 April", "2026-11-28T12:00:00"])
def test_what_is_no_time_stays_as_it_is(time: str) -> None:
    assert age_of(time, NOW) == time
