"""The line that shows how much of a prompt is processed."""

from __future__ import annotations

import io
import time

import pytest

from phicli.engine.types import Prefill
from phicli.ui.prefill_line import PrefillLine
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal


def lines(*reports: tuple[float, int], total: int = 4000, cached: int = 0, columns: int = 80) -> list[str]:
    """The lines after reports of so many processed tokens, at these seconds."""
    clock = iter([second for second, _ in reports])
    line = PrefillLine(lambda: next(clock))
    return [line.text(Prefill(done, total, cached), columns) for _, done in reports]


def test_before_the_first_batch_the_size_is_said() -> None:
    assert lines((0, 0)) == ["processing the prompt: 4,000 tokens"]


def test_tokens_percent_and_seconds_left_at_a_steady_speed() -> None:
    batches = [(4.0 * number, 128 * number) for number in range(11)]
    assert lines(*batches)[-1] == "processing the prompt: 1,280 of 4,000 tokens, 32 %, about 80 s left"


def test_the_time_left_is_said_as_soon_as_two_batches_took_the_same() -> None:
    first, second, third = lines((0, 0), (4, 128), (8, 256))
    assert "left" not in first + second
    assert third.endswith(", about 2 min left")


def test_the_newest_batches_tell_the_speed() -> None:
    slower = [(0.0, 0), (1.0, 1000), (2.0, 2000), (12.0, 2200), (22.0, 2400), (32.0, 2600)]
    assert lines(*slower)[-1].endswith("65 %, about 70 s left")


def test_nothing_is_said_of_the_time_where_the_speed_changes() -> None:
    assert lines((0, 0), (1, 128), (6, 256))[-1] == "processing the prompt: 256 of 4,000 tokens, 6 %"
    assert "left" in lines((0, 0), (1, 128), (6, 256), (11, 384), (16, 512))[-1]


def test_cached_tokens_do_not_count() -> None:
    assert lines((0, 3000), (4, 3500), cached=3000) == [
        "processing the prompt: 1,000 tokens",
        "processing the prompt: 500 of 1,000 tokens, 50 %",
    ]
    assert lines((0, 4000), cached=4000) == ["processing the prompt"]


def test_another_prompt_begins_anew() -> None:
    again = lines((0, 0), (4, 2000), (8, 4000), (60, 0), (64, 2000))
    assert again[-2:] == ["processing the prompt: 4,000 tokens", "processing the prompt: 2,000 of 4,000 tokens, 50 %"]


def test_no_time_is_left_at_the_end() -> None:
    assert lines((0, 0), (4, 2000), (8, 4000))[-1].endswith("100 %")


@pytest.mark.parametrize(
    ("seconds", "left"), [(0.001, "1 s"), (0.5, "4 s"), (4, "30 s"), (10, "80 s"), (60, "8 min"), (14.8, "2 min")]
)
def test_a_time_is_as_exact_as_it_can_be(seconds: float, left: str) -> None:
    assert lines((0, 0), (seconds, 100), (2 * seconds, 200), total=1000)[-1].endswith(f"about {left} left")


@pytest.mark.parametrize("columns", [80, 60, 45, 30, 20])
def test_narrow_terminals_get_less(columns: int) -> None:
    batches = [(4.0 * number, 128 * number) for number in range(11)]
    line = lines(*batches, columns=columns)[-1]
    assert len(line) <= max(columns, len("32 %, about 80 s left"))
    assert "32 %, about 80 s left" in line


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_shows_though_nothing_more_is_said() -> None:
    err = Tty()
    with StatusLine(Terminal(Tty(), Tty(), err, colour=False), delay_s=0.02) as status:
        status.update("the first batch takes long")
        until = time.monotonic() + 30
        while "first batch" not in err.getvalue():
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_line_that_was_cleared_does_not_come_back() -> None:
    err = Tty()
    with StatusLine(Terminal(Tty(), Tty(), err, colour=False), delay_s=0.02) as status:
        status.update("one")
        status.clear(away=True)
        shown = err.getvalue()  # nothing, unless this took longer than the delay
        time.sleep(0.1)
        status.update("two")
    assert err.getvalue() == shown
    assert "two" not in shown


@pytest.mark.parametrize(
    ("dumb", "enabled", "stream"), [(True, True, Tty()), (False, False, Tty()), (False, True, io.StringIO())]
)
def test_nothing_is_drawn_on_a_dumb_terminal_off_a_terminal_or_where_it_is_switched_off(
    dumb: bool, enabled: bool, stream: io.StringIO
) -> None:
    with StatusLine(Terminal(Tty(), Tty(), stream, colour=False, dumb=dumb), enabled=enabled, delay_s=0) as status:
        status.update("one")
        status.update("two")
    assert stream.getvalue() == ""
