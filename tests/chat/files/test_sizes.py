"""The tokens of a question's files are reported before the answer."""

from __future__ import annotations

import pytest

from phicli.answering.types import Notice
from phicli.chat.dialogue import Attachment
from phicli.errors import ContextExceededError
from tests.fakes.scripted_model import Lab, echo


def test_each_file_is_reported_with_its_tokens_and_piped_text_is_not() -> None:
    lab = Lab(echo, first=512, limit=512)
    events = list(lab.session.ask("hi", (Attachment("a.txt", "one"), Attachment("", "piped"), Attachment("b.txt", ""))))
    notices = [event.text for event in events if isinstance(event, Notice)]
    around = len("File a.txt:\n<file>\n\n</file>") + 3  # special tokens; the others are characters here
    assert notices == [f"a.txt: {around + 3} tokens", f"b.txt: {around} tokens"]


def test_a_file_far_beyond_the_context_is_reported_by_an_estimate() -> None:
    lab = Lab(echo, first=64, limit=64)
    events = lab.session.ask("hi", (Attachment("log.txt", "1234567890" * 100),))
    notice = next(iter(events))
    assert isinstance(notice, Notice)
    assert notice.text.startswith("log.txt: about 1,0")
    with pytest.raises(ContextExceededError):
        next(iter(events))
