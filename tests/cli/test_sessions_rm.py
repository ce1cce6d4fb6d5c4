"""``phi sessions rm`` as people use it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phicli.chat.store.sessions import Sessions
from tests.support.disks import small_file_system
from tests.support.running import Phi
from tests.support.sessions import aged, dialogue_of, sessions_in


@pytest.fixture
def sessions(environment: dict[str, str]) -> Sessions:
    return sessions_in(environment)


@pytest.fixture
def saved(sessions: Sessions) -> Sessions:
    """``old`` is 100 days old, ``new`` is of today."""
    for name, days in (("old", 100), ("new", 0)):
        sessions.create(name, "tiny-phi", dialogue_of(2))
        aged(sessions, name, (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds"))
    return sessions


def names(sessions: Sessions) -> list[str]:
    return sorted(info.name for info in sessions.list())


def test_it_says_what_goes_and_removes_it(phi: Phi, saved: Sessions) -> None:
    run = phi("sessions", "rm", "OLD", "--yes")
    assert (run.code, run.out) == (0, "")
    line, end = run.err.splitlines()
    assert line.split() == ["old", "tiny-phi", "2", "turns", "3", "months", "ago", "question", "1"]
    assert end == "removed 1 session"
    assert names(saved) == ["new"]


def test_several_and_last_each_once(phi: Phi, saved: Sessions) -> None:
    run = phi("sessions", "rm", "last", "old", "new", "-y", "--json")
    assert (run.code, run.err) == (0, "")
    data = run.json["data"]
    assert (data["dry_run"], data["done"]) == (False, True)
    assert [one["name"] for one in data["sessions"]] == ["new", "old"]
    assert names(saved) == []


@pytest.mark.parametrize(
    ("arguments", "code", "says", "hints"),
    [
        (["old", "nothing"], 3, "nothing", "phi sessions list"),
        ([], 2, "no sessions were given", "--older-than 90d"),
        (["old", "--older-than", "1d"], 2, "cannot be used together", "leave out one"),
        (["--older-than", "90"], 2, "90 has no unit", "for example 90d"),
        (["--older-than", "-1d"], 2, "not an age", "for example 90d"),
        (["--older-than", "9" * 5000 + "d"], 2, "not an age", "for example 90d"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_where_one_of_them_is_wrong_nothing_is_removed(
    phi: Phi, saved: Sessions, arguments: list[str], code: int, says: str, hints: str
) -> None:
    run = phi("sessions", "rm", *arguments, "--yes")
    assert (run.code, run.out) == (code, "")
    message, hint = run.err.split("→")
    assert says in message
    assert hints in hint
    assert names(saved) == ["new", "old"]


@pytest.mark.parametrize(("age", "left"), [("90d", ["new"]), ("99d", ["new"]), ("101d", ["new", "old"]), ("0h", [])])
def test_those_of_an_age(phi: Phi, saved: Sessions, age: str, left: list[str]) -> None:
    run = phi("sessions", "rm", "--older-than", age, "--yes")
    assert run.code == 0
    assert ("nothing to remove" in run.err) == (len(left) == 2)
    assert names(saved) == left


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_off_a_terminal_without_yes_nothing_happens(phi: Phi, saved: Sessions, json: list[str]) -> None:
    run = phi("sessions", "rm", "old", *json, stdin=b"y\n")
    assert run.code == 2
    assert "--yes" in (run.json["error"]["hint"] if json else run.err)
    assert len(names(saved)) == 2


def test_dry_run_is_data(phi: Phi, saved: Sessions) -> None:
    run = phi("sessions", "rm", "--older-than", "1d", "--dry-run")
    assert (run.code, run.err) == (0, "")
    assert [line.split()[0] for line in run.out.splitlines()] == ["old"]
    data = phi("sessions", "rm", "new", "--dry-run", "--json").json["data"]
    assert (data["dry_run"], data["done"], data["sessions"][0]["name"]) == (True, False, "new")
    assert len(names(saved)) == 2


def test_of_many_only_some_are_shown(phi: Phi, sessions: Sessions) -> None:
    for _ in range(30):
        sessions.create(None, "tiny-phi", dialogue_of(1))
    run = phi("sessions", "rm", "--older-than", "0h", "--yes")
    assert len(run.err.splitlines()) == 22
    assert run.err.splitlines()[-2:] == ["and 10 more; see all: --dry-run", "removed 30 sessions"]
    assert names(sessions) == []


@pytest.mark.parametrize(("answer", "gone"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False)])
def test_on_a_terminal_it_asks(saved: Sessions, environment: dict[str, str], answer: bytes, gone: bool) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", "sessions", "rm", "old", "new"],
        env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 4096)
        assert b"Remove these 2 sessions?" in seen
        assert len(names(saved)) == 2
        os.write(ours, answer)
        try:
            while chunk := os.read(ours, 4096):
                seen += chunk
        except OSError:  # what Linux says when the other side has been closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert (names(saved) == []) == gone
    assert (b"nothing was removed" in seen) != gone


def test_the_states_of_removed_sessions_go_too(phi: Phi, saved: Sessions, environment: dict[str, str]) -> None:
    states = Path(environment["PHI_HOME"]) / "cache" / "session-states"
    states.mkdir(parents=True, mode=0o700)
    ids = {info.name: info.session_id for info in saved.list()}
    for session_id in ids.values():
        for ending in ("state", "json"):
            (states / f"{session_id}.{ending}").write_bytes(b"x")
    assert phi("sessions", "rm", "old", "--yes").code == 0
    left = {path.stem for path in states.iterdir() if path.suffix in (".state", ".json")}
    assert left == {ids["new"]}


def test_a_home_that_is_read_only(phi: Phi, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        saved = sessions_in({"PHI_HOME": str(disk)})
        saved.create("a", "tiny-phi", dialogue_of(1))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = phi("sessions", "rm", "last", "--yes", PHI_HOME=str(disk))
        assert (run.code, "removed" in run.err) == (2, False)
        assert len(phi("sessions", "list", PHI_HOME=str(disk)).out.splitlines()) == 2
