"""The time line of one answer, on tiny-phi."""

from __future__ import annotations

import sys

import pytest

from benchmarks.timeline import Event, medians, run, steps
from tests.support.files import TINY_PHI

PHI, ENGINE = 7, 8


def test_a_step_is_the_first_event_of_its_process() -> None:
    times = steps(
        [
            Event(0.1, 0.05, PHI, "import", "typer"),
            Event(0.2, 0.06, ENGINE, "import", "typer"),
            Event(0.3, 0.07, PHI, "socket.connect", "a"),
            Event(0.4, 0.08, PHI, "socket.connect", "b"),
        ],
        TINY_PHI,
        PHI,
    )
    assert list(times.values()) == [(0.1, 0.05), (0.3, 0.07), (0.4, 0.08)]


def test_the_table_has_medians_in_the_order_of_time() -> None:
    runs = [{"b": (2.0, 1.0), "a": (1.0, 0.5)}, {"b": (3.0, 1.0), "a": (9.0, 0.5)}, {"b": (4.0, 2.0), "a": (1.5, 0.7)}]
    assert medians(runs) == [("a", 1.5, 0.5), ("b", 3.0, 1.0)]


@pytest.mark.process
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_all_steps_of_an_answer_are_seen_in_order() -> None:
    times = {step: at_s for step, (at_s, _) in run(TINY_PHI, "What is the capital of France?").items()}
    mapped = "engine: the vocabulary is parsed, the weights are mapped"  # of a toy too short to be always seen
    assert len({*times} - {mapped}) == 12
    assert max(times.values()) == times["phi: its process has ended"]
    assert times["phi: starts the engine's process"] < times["engine: imports llama.cpp"]
    assert times["engine: has the settings and loads"] < times.get(mapped, times["phi: sends the prompt"])
    assert times["phi: sends the prompt"] < times["phi: the first token is printed"]
