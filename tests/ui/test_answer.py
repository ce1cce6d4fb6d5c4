"""An answer as it is printed: what goes to standard output, and what beside it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator

import pytest

from phicli.answering.types import Answer, Event, Notice, Undecided
from phicli.chat_format.types import Piece
from phicli.engine.closable import Closable, Closing
from phicli.engine.read_ahead import ReadSoFar
from phicli.engine.types import Prefill, Timings, Usage
from phicli.records.run import Peak
from phicli.ui.answer import AnswerPrinter, answer_data
from phicli.ui.answer_stats import print_stats
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal

TIMINGS = Timings(prompt_ms=100.0, decode_ms=500.0, prompt_tps=70.0, decode_tps=12.5)


def answer(text: str, **more: object) -> Answer:
    usual = {"reasoning": "", "tool_calls": (), "finish_reason": "stop", "usage": Usage(7, 300, 2), "timings": TIMINGS}
    times = {"load_ms": 10.0, "ttft_ms": 250.0, "total_ms": 1500.0, "context_tokens": 512, "used_tokens": 307}
    return Answer(text, **{**usual, **times, **more})  # type: ignore[arg-type]


def printed(*events: Event, quiet: bool = False) -> tuple[str, str]:
    """Standard output and standard error, both of them pipes."""
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(io.StringIO(), out, err, colour=False)
    AnswerPrinter(terminal, StatusLine(terminal), quiet=quiet).show(iter(events))
    return out.getvalue(), err.getvalue()


def test_a_notice_in_the_middle_does_not_break_a_piped_answer() -> None:
    out, err = printed(Piece("text", "half a wo"), Notice("larger context"), Piece("text", "rd"), answer("half a word"))
    assert (out, err) == ("half a word\n", "note: larger context\n")


def test_an_answer_that_was_ended_for_repetition_says_so() -> None:
    ended = answer("so so", stopped_by="repetition")
    assert printed(Piece("text", "so so"), ended) == (
        "so so\n",
        "note: the answer was ended after 300 tokens, because it repeated itself\n",
    )
    assert printed(Piece("text", "so so"), ended, quiet=True) == ("so so\n", "")
    assert (answer_data(ended)["finish_reason"], answer_data(ended)["stopped_by"]) == ("stop", "repetition")


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({}, "it stopped after 300 tokens of reasoning"),
        ({"finish_reason": "length"}, "its reasoning was cut off after 300 tokens"),
        (
            {"finish_reason": "length", "used_tokens": 512},
            "its reasoning was cut off after 300 tokens: the context of 512 is full",
        ),
        ({"stopped_by": "repetition"}, "its reasoning was ended after 300 tokens, because it repeated itself"),
    ],
)
def test_an_answer_that_is_only_reasoning_says_so_with_quiet_too(
    how: dict[str, object], why: str, *, quiet: bool
) -> None:
    ended = answer("", reasoning="hm", **how)
    out, err = printed(Piece("reasoning", "hm"), ended, quiet=quiet)
    assert (out, err) == ("", ("" if quiet else "hm\n") + f"note: the model gave no answer: {why}\n")
    assert (answer_data(ended)["text"], answer_data(ended)["reasoning"]) == ("", "hm")


def test_an_answer_of_white_space_is_not_called_reasoning() -> None:
    assert printed(answer("")) == ("", "")
    assert printed(Piece("text", "\n"), answer("\n")) == ("\n", "")


def test_an_answer_that_a_stop_text_ended_says_nothing() -> None:
    ended = answer("so", stopped_by="END")
    assert printed(Piece("text", "so"), ended) == ("so\n", "")
    assert answer_data(ended)["stopped_by"] == "END"


def test_the_numbers_of_an_answer() -> None:
    err = io.StringIO()
    terminal = Terminal(io.StringIO(), io.StringIO(), err, colour=False)
    print_stats(terminal, answer("so"), Peak(3 << 30, 1 << 30))
    assert err.getvalue().splitlines() == [
        "prompt: 7 tokens (2 cached), 70.0 tokens/s",
        "answer: 300 tokens, 12.5 tokens/s",
        "time to first token: 0.25 s",
        "total time: 1.50 s",
        "context: 307 of 512 tokens",
        "memory: 3.00 GiB at most, 1.00 GiB of it anonymous",
    ]


def test_the_first_answer_says_how_the_model_was_loaded() -> None:
    def first_line(read: ReadSoFar) -> str:
        err = io.StringIO()
        terminal = Terminal(io.StringIO(), io.StringIO(), err, colour=False)
        print_stats(terminal, answer("so", load_ms=6100.0), None, read)
        return err.getvalue().splitlines()[0]

    cold = ReadSoFar(2_490_000_000, 2_490_000_000, 2_460_000_000, 6.0)
    assert first_line(cold) == "load: 6.10 s, 2.5 GB read from disk at 410 MB/s"
    assert first_line(ReadSoFar(10, 10, 0, 0.0)) == "load: 6.10 s"


class Interrupted(Closable[Event]):
    """An answer that Ctrl-C ends while text waits, which nobody knows yet to be reasoning or not."""

    def __init__(self, *shown: Piece, so_far: Answer) -> None:
        def events(_: Closing) -> Generator[Event, None, None]:
            yield from shown
            yield Undecided(3)
            raise KeyboardInterrupt

        super().__init__(events)
        self._so_far = so_far

    def so_far(self) -> Answer:
        return self._so_far


@pytest.mark.parametrize("shown", [(), (Piece("text", "half "),)])
def test_text_that_waited_is_printed_when_the_answer_is_interrupted(shown: tuple[Piece, ...]) -> None:
    out = io.StringIO()
    terminal = Terminal(io.StringIO(), out, io.StringIO(), colour=False)
    partial = answer("half a word", finish_reason="interrupted")
    with pytest.raises(KeyboardInterrupt):
        AnswerPrinter(terminal, StatusLine(terminal)).show(Interrupted(*shown, so_far=partial))
    assert out.getvalue() == "half a word\n"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_drawn_over_a_line_of_the_answer_that_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context may grow in the middle of a word; where that takes long, a notice ends the line first."""
    times = itertools.count()
    monkeypatch.setattr("phicli.ui.status.monotonic", lambda: float(next(times)))
    waiting = [Prefill(number, 9, 0) for number in range(3)]

    def screen(*events: Event, stream: bool = True) -> str:
        out, err = Screen(), Screen()
        terminal = Terminal(io.StringIO(), out, err, colour=False)
        AnswerPrinter(terminal, StatusLine(terminal), stream=stream).show(iter(events))
        return err.getvalue()

    def drawn(*events: Event, stream: bool = True) -> bool:
        return "processing the prompt" in screen(*events, stream=stream)

    begun = Piece("text", "half a wo")
    assert drawn(*waiting, begun, answer("half a wo"))
    undecided = [Undecided(number) for number in range(3)]
    assert "generating: 2 tokens" in screen(*waiting, *undecided, begun, answer("half a wo"))
    assert not drawn(begun, *waiting, Piece("text", "rd"), answer("half a word"))
    assert not drawn(Piece("reasoning", "hm"), *waiting, begun, answer("half a wo"))
    assert drawn(begun, Notice("larger context"), *waiting, Piece("text", "rd"), answer("half a word"))
    assert drawn(begun, *waiting, Piece("text", "rd"), answer("half a word"), stream=False)
