"""The meter below the prompt."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from phicli.ui.repl.line_reader import LineReader
from phicli.ui.repl.meter import MeterFacts, meter
from phicli.ui.repl.toolbar import Toolbar
from phicli.ui.terminal import Terminal
from phicli.ui.wrapping import cells

FACTS = MeterFacts(
    "phi-4-mini", context_tokens=4096, used_tokens=1204, tokens_per_s=11.31, session="trip"
)  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (100, "phi-4-mini  1,204 of 4,096 tokens  11.3 tokens/s  trip"),
        (54, "phi-4-mini  1,204 of 4,096 tokens  11.3 tokens/s  trip"),
        (53, "phi-4-mini  1,204 of 4,096 tokens  11.3 tokens/s"),
        (40, "phi-4-mini  1,204 of 4,096 tokens"),
        (20, "phi-4-mini"),
        (5, "phi-…"),
        (1, "…"),
        (0, ""),
    ],
)
def test_parts_are_left_out_from_the_right(columns: int, text: str) -> None:
    assert meter(FACTS, columns) == text


def test_what_is_not_known_is_not_said() -> None:
    assert meter(MeterFacts("phi-4"), 80) == "phi-4"
    assert meter(replace(FACTS, used_tokens=None, tokens_per_s=None), 80) == "phi-4-mini  context of 4,096 tokens  trip"
    assert meter(MeterFacts("phi-4", session="not saved"), 80) == "phi-4  not saved"


def test_a_model_that_loads_says_so() -> None:
    assert (
        meter(MeterFacts("phi-4", loading=True, context_tokens=4096), 80) == "phi-4  loading  context of 4,096 tokens"
    )


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, 120))
def test_the_meter_never_takes_more_columns_than_there_are(model: str, session: str, columns: int) -> None:
    assert cells(meter(replace(FACTS, model=model, session=session), columns)) <= columns


def test_a_name_cannot_break_the_line() -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    text = Toolbar(terminal, lambda: MeterFacts("a\x1b[31m\nb", loading=True))()
    assert text == "a\ufffd[31m b  loading"


def test_the_toolbar_is_drawn_again_until_the_model_is_loaded() -> None:
    terminal, drawn = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False), list[bool]()
    with (
        Path(os.devnull).open(encoding="utf-8") as stdin,
        create_pipe_input() as keys,
        create_app_session(input=keys, output=DummyOutput()),
    ):

        def facts() -> MeterFacts:
            drawn.append(len(drawn) < 3)
            if not drawn[-1] and drawn[-2]:
                keys.send_text("hello\r")
            return MeterFacts("phi-4", loading=drawn[-1])

        toolbar = Toolbar(terminal, facts)
        reader = LineReader(None, lambda _kind, _beginning: (), tell=print, toolbar=toolbar, stdin=stdin)
        assert reader.read() == "hello"
    assert drawn[:4] == [True, True, True, False]
