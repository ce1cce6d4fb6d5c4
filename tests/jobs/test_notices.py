"""What is said while many requests are answered."""

from __future__ import annotations

from phicli.answering.types import Notice
from phicli.jobs.notices import Notices


def test_each_text_is_said_once_and_not_more_than_twenty() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    for _ in range(3):
        notices.notice(Notice("the remote is slow"))
        notices.text("the remote is slow")
    assert said == ["the remote is slow"]
    for number in range(50):
        notices.text(f"text {number}")
    assert len(said) == 20


def test_waits_of_any_length_are_said_once() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    for seconds in range(1, 40):
        notices.text(f"lab is busy; trying again in {seconds} s")
    notices.text("lab answers with another model")
    assert said == ["lab is busy; trying again in 1 s", "lab answers with another model"]


def test_what_concerns_one_answer_is_not_said() -> None:
    said: list[str] = []
    Notices(said.append).notice(Notice("attempt 2 of 3: the answer does not match"))
    assert said == []
