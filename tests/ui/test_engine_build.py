"""What a build of kernels shows while it runs, and what came of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

from phicli.engine.kernels import Kernels
from phicli.kernels.build import Outcome
from phicli.ui.engine.build_screen import BuildScreen, outcome_lines, print_outcome
from phicli.ui.terminal import Terminal
from tests.support.waiting import wait_until
from tests.ui.test_terminal import screen, shown

KERNELS = Kernels(Path("/k/libggml-cpu-zen4.so"), "zen4", "1.2.3", "a processor", ("AVX512F",), 5, "aa", 2.5, 1.1, "bb")
SAVED = Outcome(KERNELS, "they passed their trial", built=True, in_use=True, gains=("AVX512F",), ratios=(2.5, 1.1))


def plain() -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)


def test_a_terminal_shows_phases_at_once_and_steps_in_a_bar() -> None:
    terminal = screen()
    with BuildScreen(terminal) as build:
        build.phase("downloading")
        wait_until(lambda: "downloading" in shown(terminal.stderr))
        build.phase("compiling")
        build.progress(3, 30)
        build.progress(30, 30)
        build.phase("testing")
        build.notice("a note")
    text = shown(terminal.stderr)
    assert " of 30" in text
    assert text.index("compiling") < text.index("testing") < text.index("a note")
    assert shown(terminal.stdout) == ""


def test_a_pipe_gets_a_line_for_each_phase() -> None:
    terminal = plain()
    with BuildScreen(terminal) as build:
        build.phase("downloading")
        build.phase("downloading")
        build.phase("compiling")
        build.progress(3, 30)
        build.log_end(["error: wrong word"])
    assert shown(terminal.stderr).splitlines() == ["downloading", "compiling", "  error: wrong word"]


def test_quiet_shows_only_the_log_of_a_failure() -> None:
    terminal = screen()
    with BuildScreen(terminal, quiet=True) as build:
        build.phase("compiling")
        build.progress(3, 30)
        build.notice("a note")
        build.log_end(["error: wrong word"])
    assert shown(terminal.stderr).split() == ["error:", "wrong", "word"]


def test_the_path_of_saved_kernels_is_the_output() -> None:
    terminal = plain()
    print_outcome(terminal, SAVED, quiet=False, as_json=False)
    assert shown(terminal.stdout) == "/k/libggml-cpu-zen4.so\n"
    assert shown(terminal.stderr).splitlines() == [
        "zen4 kernels are ready (AVX512F): prompts 2.50 times as fast, generation 1.10 times",
        "phi uses them from now on",
    ]


def test_each_outcome_says_what_to_do_next() -> None:
    assert outcome_lines(Outcome(None, "all is used")) == ["nothing to build: all is used"]
    slower = Outcome(None, "not faster, so they were not saved", built=True, ratios=(1.0, 0.9))
    assert "phi engine use native" in outcome_lines(slower)[1]
    there = Outcome(KERNELS, "already built", in_use=True)
    assert outcome_lines(there) == ["zen4 kernels: already built; see them: phi engine list"]
    unused = Outcome(KERNELS, "they passed their trial", built=True, ratios=(2.0, 1.0))
    assert "see why: phi engine list" in outcome_lines(unused)[1]


def test_json_has_the_ratios_and_the_hashes() -> None:
    terminal = plain()
    print_outcome(terminal, SAVED, quiet=False, as_json=True)
    data = json.loads(shown(terminal.stdout))["data"]
    assert (data["built"], data["saved"], data["in_use"]) == (True, True, True)
    assert (data["prompt_ratio"], data["decode_ratio"]) == (2.5, 1.1)
    assert (data["sha256"], data["sources_sha256"], data["size_bytes"]) == ("aa", "bb", 5)
    nothing = plain()
    print_outcome(nothing, Outcome(None, "all is used"), quiet=True, as_json=True)
    data = json.loads(shown(nothing.stdout))["data"]
    assert (data["saved"], data["kernels"], data["prompt_ratio"]) == (False, None, None)
