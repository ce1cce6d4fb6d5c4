"""Tool calls in streams that are cut anywhere, with markers as tokens or as text."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phicli.chat_format import format_by_name
from phicli.chat_format.tool_calls import CLOSE, OPEN
from phicli.chat_format.types import ToolCall
from tests.chat_format.test_tool_calls import FOUND

MARKERS = re.compile(f"({re.escape(OPEN)}|{re.escape(CLOSE)})")
IN_A_STRING = '"<|/tool_call|>"'


@given(st.sampled_from([one for one in FOUND if IN_A_STRING not in one[0]]), st.booleans(), st.data())
def test_markers_as_tokens_give_the_same_wherever_the_text_is_cut(
    reply: tuple[str, str, list[ToolCall]], reasoning: bool, data: st.DataObject
) -> None:
    text, shown, calls = reply
    parser = format_by_name("phi-4-mini", reasoning=reasoning).parser(tools=True)
    pieces = []
    for part in filter(None, MARKERS.split(text)):
        if MARKERS.fullmatch(part) and data.draw(st.booleans()):
            pieces += parser.feed(part, special=True)
            continue
        cuts = data.draw(st.lists(st.integers(0, len(part)), max_size=6).map(sorted))
        for start, end in pairwise([0, *cuts, len(part)]):
            pieces += parser.feed(part[start:end])
    pieces += parser.finish()
    assert list(parser.tool_calls) == calls
    assert "".join(piece.text for piece in pieces).split() == shown.split()
