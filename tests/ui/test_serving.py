"""What ``phi ps``, ``phi stop`` and ``phi serve --background`` print."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phicli.supervisor.background import Started
from phicli.supervisor.state import ServerState
from phicli.supervisor.stopping import Stopped
from phicli.ui.serving import print_ps, print_started, print_stopped
from phicli.ui.terminal import Terminal

STATE = ServerState("1.0", "2026-11-28T20:00:00+00:00", 7, "here", socket="/s")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(out: io.StringIO | None = None) -> Terminal:
    return Terminal(io.StringIO(), out or io.StringIO(), io.StringIO(), colour=False)


def text_of(stream: Any) -> str:
    return str(stream.getvalue())


def in_s(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def model(**more: Any) -> dict[str, Any]:
    facts = {"model": "phi-4-mini:q4_k_m", "phase": "ready", "memory_bytes": 3 << 30, "context_tokens": 4096}
    return facts | {"slots": 4, "running": 0, "used": False, "idle_since": None, "until": None} | more


@pytest.mark.parametrize(
    ("row", "until"),
    [
        (model(idle_since=-5400, until=30 * 3600), "in 30 hours"),
        (model(idle_since=-5400), "forever"),
        (model(running=2, used=True), "in use"),
        (model(phase="loading", memory_bytes=0, context_tokens=None, slots=None, used=True), "loading"),
    ],
    ids=["idle", "for ever", "in use", "loading"],
)
def test_a_person_reads_when_the_memory_is_given_back(
    row: dict[str, Any], until: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    row |= {name: in_s(row[name]) for name in ("idle_since", "until") if row[name]}
    screen = terminal(Screen())
    print_ps(screen, {"version": "1.0", "socket": "/s", "models": [row]}, as_json=False)
    line = text_of(screen.stdout).splitlines()[-1]
    assert line.startswith("phi-4-mini:q4_k_m")
    assert line.rstrip().endswith(until)
    assert ("90 minutes ago" in line) is bool(row["idle_since"])
    assert ("3.00 GiB" in line) is bool(row["memory_bytes"])


def test_a_script_reads_times_as_they_are() -> None:
    pipe = terminal()
    print_ps(pipe, {"models": [model(idle_since="2026-11-28T20:00:00+00:00", until="soon")]}, as_json=False)
    head, line = text_of(pipe.stdout).splitlines()
    assert head.split() == ["MODEL", "MEMORY", "CONTEXT", "SLOTS", "RUNNING", "IDLE", "SINCE", "UNTIL"]
    assert line.split()[-2:] == ["2026-11-28T20:00:00+00:00", "soon"]


def test_what_is_not_a_time_or_is_missing_is_no_reason_to_fail() -> None:
    screen = terminal(Screen())
    print_ps(screen, {"models": [{}, "x", model(until="never", idle_since=3)], "ends_at": "some day"}, as_json=False)
    assert "never" in text_of(screen.stdout)
    assert "without use it ends some day" in text_of(screen.stderr)


def test_a_control_character_in_a_name_does_not_reach_the_terminal() -> None:
    screen = terminal(Screen())
    print_ps(screen, {"models": [model(model="a\x1b[2Jb")]}, as_json=False)
    assert "\x1b[2J" not in text_of(screen.stdout)


def test_the_address_is_the_first_line() -> None:
    for state, address in (
        (STATE, "unix:/s"),
        (ServerState("1", "", 1, "", socket="/s", address="http://127.0.0.1:1"), "http://127.0.0.1:1"),
        (ServerState("1", "", 1, "", loopback="127.0.0.1:2"), "http://127.0.0.1:2"),
    ):
        out = terminal()
        print_started(out, Started(state, Path("/log")), as_json=False)
        assert text_of(out.stdout) == f"{address}\n"
        assert "log: /log" in text_of(out.stderr)


def test_what_differs_is_said_with_what_to_do() -> None:
    out = terminal()
    print_started(out, Started(STATE, None, already=True, differs="phi serve --parallel 2"), as_json=False)
    assert "already running, with other options: phi serve --parallel 2" in text_of(out.stderr)
    assert "phi stop --all" in text_of(out.stderr)
    quiet = terminal()
    print_started(quiet, Started(STATE, None, already=True, differs="phi serve"), as_json=False, quiet=True)
    assert text_of(quiet.stderr) == ""
    data = terminal()
    print_started(data, Started(STATE, None), as_json=True)
    assert json.loads(text_of(data.stdout))["data"]["log"] is None


def test_models_that_were_unloaded_are_named() -> None:
    for stopped, said in (
        (Stopped(("a", "b"), True), ["unloaded a", "unloaded b", "phi serve has ended"]),
        (Stopped(("a",), False), ["unloaded a", "phi serve still runs; to end it: phi stop --all"]),
        (Stopped((), False), ["no model is loaded", "phi serve still runs; to end it: phi stop --all"]),
    ):
        out = terminal()
        print_stopped(out, stopped, as_json=False)
        assert text_of(out.stderr).splitlines() == said
        assert text_of(out.stdout) == ""


@pytest.mark.parametrize(("width", "shown"), [(140, True), (90, True), (50, False)])
def test_adapters_have_a_column_where_there_are_any(width: int, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [{"name": "style", "scale": 1.0}, {"name": "half", "scale": 0.5}, {"name": "twice", "scale": 2.0}, "odd"]
    for models, expected in (([model(adapters=rows), model()], shown), ([model(adapters=[])], False)):
        screen = terminal(Screen())
        print_ps(screen, {"models": models}, as_json=False)
        assert ("adapters" in text_of(screen.stdout)) is expected
        assert ("style, half:0.5, twice:2" in text_of(screen.stdout)) is expected
