"""What ``phi autotune`` shows, on terminals of several widths and in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.tuning.against import EngineDuel
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.space import Space, values_to_try
from phicli.bench.tuning.tune import Tuning
from phicli.bench.tuning.types import Compared, SearchOutcome
from phicli.engine.settings import EngineSettings
from phicli.records.run import Subject
from phicli.ui.bench.tuning import print_tuning
from phicli.ui.terminal import Terminal
from tests.fakes.tunable_machine import TunableMachine
from tests.ui.test_terminal import Screen, shown

SUBJECT = Subject("phi-4-mini", "Q4_K_M", "phi-4-mini", Path("mini.gguf"), 2_491_874_272)


def searched(machine: TunableMachine) -> SearchOutcome:
    values = values_to_try(4, 8, longest_prompt=700, repackable=True)
    space = Space(EngineSettings.for_cores(4), values, lambda use, settings: True)
    return Search(space, machine, budget_s=1e9, clock=machine.clock).run()


def eight_threads_are_faster(settings: EngineSettings) -> float:
    return 0.7 if settings.threads == 8 else 1.0


FASTER = searched(TunableMachine(decode=eight_threads_are_faster, batched=eight_threads_are_faster))
ALL_THE_SAME = searched(TunableMachine())


def page(
    monkeypatch: pytest.MonkeyPatch, outcome: SearchOutcome, width: int | None, *, kept: bool = True,
    subject: Subject = SUBJECT, duel: EngineDuel | None = None,
) -> tuple[str, str]:  # fmt: skip
    """Standard output and standard error; None is a pipe."""
    monkeypatch.setenv("COLUMNS", str(width or 80))
    monkeypatch.setenv("TERM", "xterm-256color")
    out = io.StringIO() if width is None else Screen()
    terminal = Terminal(io.StringIO(), out, io.StringIO(), colour=False)
    print_tuning(terminal, Tuning(subject, outcome, kept, (), {}, duel))
    return shown(terminal.stdout), terminal.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_word_is_broken(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    out, _ = page(monkeypatch, FASTER, width)
    assert max(map(len, out.splitlines())) <= width
    steps = out.partition("\nTried\n")[2].splitlines()
    assert steps[0].split()[0] == "tried"
    for words in ("threads 8", "flash attention off", "KV cache type q8_0", "micro-batch 256"):
        assert any(line.startswith(f"  {words}") and "conversation" in line for line in steps), words
    assert any("used" in line for line in steps)


def test_a_pipe_gets_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = page(monkeypatch, FASTER, None)
    heads = next(line for line in out.splitlines() if line.startswith("  tried"))
    for head in ("against", "times as fast", "rounds", "verdict"):
        assert head in heads
    assert "phi autotune --reset phi-4-mini" in err


def test_it_is_said_when_nothing_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = page(monkeypatch, ALL_THE_SAME, 80)
    assert out.count("the default stays") == 3
    assert err == "nothing was faster than the defaults, so phi chat still uses them\n"
    assert page(monkeypatch, ALL_THE_SAME, 80, kept=False)[1] == ""


def test_a_winner_whose_interval_includes_one_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    note = "interval includes 1"
    assert note not in page(monkeypatch, FASTER, 140)[0]
    place = next(at for at, step in enumerate(FASTER.steps) if any(one.verdict == "won" for one in step.compared))
    step = FASTER.steps[place]
    wide = replace(step.compared[0], verdict="won", low=0.94, high=1.9, rounds=(1.1, 1.2, 1.6))
    steps = [*FASTER.steps]
    steps[place] = replace(step, compared=(wide,))
    assert note in page(monkeypatch, replace(FASTER, steps=tuple(steps)), 140)[0]


def test_the_title_of_a_search_that_ended_before_an_engine_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build is known from then on only; the subject has none."""
    out, _ = page(monkeypatch, ALL_THE_SAME, None)
    assert out.splitlines()[0] == "phi-4-mini:q4_k_m on this machine, with xllamacpp"


PROGRAM = replace(SUBJECT, engine="llama-server", build="llama-server 1 (a), AVX2")


def duel(one_answer: str, conversation: str) -> EngineDuel:
    verdicts = {"one_answer": one_answer, "conversation": conversation, "batch": "won"}
    compared = (Compared(use, said, 1.25, 1.1, 1.4, (1.2, 1.3, 1.25)) for use, said in verdicts.items())
    return EngineDuel("xllamacpp 1", tuple(compared))


@pytest.mark.parametrize("width", [60, 80, None])
def test_engines_that_were_compared(monkeypatch: pytest.MonkeyPatch, width: int | None) -> None:
    out, err = page(monkeypatch, FASTER, width, subject=PROGRAM, duel=duel("won", "lost"))
    section = out.partition("\nAgainst xllamacpp 1\n")[2]
    assert "1.25 x (1.10 to 1.40)" in section
    assert section.count("not used") == 1
    if width is None:
        assert "phi chat --engine llama-server now uses these settings" in err
        assert "phi chat now uses llama-server for this model (one answer); to use xllamacpp: --engine xllamacpp" in err


def test_an_engine_that_is_faster_only_for_many_requests_is_not_used_by_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = page(monkeypatch, ALL_THE_SAME, None, subject=PROGRAM, duel=duel("lost", "lost"))
    assert "so phi chat --engine llama-server still uses them" in err
    assert "phi chat still uses xllamacpp, because llama-server was not faster" in err
    _, err = page(monkeypatch, FASTER, None, subject=PROGRAM)
    assert "xllamacpp" not in err
