"""``phi runs rm`` as people use it, and what ``phi recommend`` makes of it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phicli.fit.calibration import Conditions, Measurement
from phicli.records.history import History, entry_of
from tests.support.cache_layout import put_in_cache
from tests.support.disks import small_file_system
from tests.support.pulling import FILE, REPO
from tests.support.running import Phi
from tests.support.runs import ENTRY, quants


@pytest.fixture
def history(environment: dict[str, str]) -> History:
    return History(Path(environment["PHI_HOME"]) / "data" / "runs.sqlite")


@pytest.fixture
def kept(history: History) -> History:
    """Two quants: ``aaa1`` is 100 days old, ``aab2`` is of today; and one of which nobody knows the time."""
    now = datetime.now(UTC)
    for name, days, one in zip(("aaa1", "aab2"), (100, 0), quants(), strict=True):
        made_at = (now - timedelta(days=days)).isoformat(timespec="seconds")
        history.add(replace(entry_of(one), run_id=name, made_at=made_at))
    history.add(replace(ENTRY, run_id="zzz", made_at="1 April"))
    return history


def names(history: History) -> list[str]:
    return sorted(entry.run_id for entry in history.entries())


def test_it_says_what_goes_and_removes_it(phi: Phi, kept: History) -> None:
    run = phi("runs", "rm", "AAA", "--yes")
    assert (run.code, run.out) == (0, "")
    line, end = run.err.splitlines()
    assert line.split()[0] == "aaa1"
    for part in ("run", "phi-4-mini:q4_k_m", "512 + 128", "34.0 / 9.80 t/s"):
        assert part in line
    assert end == "removed 1 run"
    assert names(kept) == ["aab2", "zzz"]


def test_several_and_last_each_once(phi: Phi, kept: History) -> None:
    kept.remove(["zzz"])  # which would be the newest, by its name of a time
    run = phi("runs", "rm", "last", "aab2", "aaa", "-y", "--json")
    assert (run.code, run.err) == (0, "")
    assert run.json["command"] == "runs rm"
    data = run.json["data"]
    assert (data["dry_run"], data["done"]) == (False, True)
    assert [one["run_id"] for one in data["runs"]] == ["aab2", "aaa1"]
    assert data["runs"][1]["result"] == "34.0 / 9.80 t/s"
    assert names(kept) == []


@pytest.mark.parametrize(
    ("arguments", "code", "says", "hints"),
    [
        (["aaa", "nothing"], 3, "'nothing'", "phi runs list"),
        (["aaa", "aa"], 2, "2 runs have ids beginning with 'aa'", "more characters"),
        ([], 2, "no runs were given", "--older-than 90d"),
        (["aaa", "--older-than", "1d"], 2, "cannot be used together", "leave out one"),
        (["--older-than", "90"], 2, "90 has no unit", "for example 90d"),
        (["--older-than", ""], 2, "not an age", "for example 90d"),
        (["--older-than", "-1d"], 2, "not an age", "for example 90d"),
        (["--older-than", "90m"], 2, "not an age", "h (hours), d (days), w (weeks) and y (years)"),
        (["--older-than", "1.5d"], 2, "not an age", "for example 90d"),
        (["--older-than", "9" * 5000 + "d"], 2, "not an age", "for example 90d"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_where_one_of_them_is_wrong_nothing_is_removed(
    phi: Phi, kept: History, arguments: list[str], code: int, says: str, hints: str
) -> None:
    run = phi("runs", "rm", *arguments, "--yes")
    assert (run.code, run.out) == (code, "")
    message, hint = run.err.split("→")
    assert says in message
    assert hints in hint
    assert says in phi("runs", "rm", *arguments, "--yes", "--json").json["error"]["message"]
    assert names(kept) == ["aaa1", "aab2", "zzz"]


@pytest.mark.parametrize("age", ["90d", "14W", "2160h", " 90d ", "99d"])
def test_those_of_an_age(phi: Phi, kept: History, age: str) -> None:
    run = phi("runs", "rm", "--older-than", age, "--yes", "--json")
    assert [one["run_id"] for one in run.json["data"]["runs"]] == ["aaa1"]
    assert names(kept) == ["aab2", "zzz"], "what has no time has no age"


@pytest.mark.parametrize("age", ["101d", "15w", "1y", "999999999y"])
def test_nothing_is_that_old(phi: Phi, kept: History, age: str) -> None:
    run = phi("runs", "rm", "--older-than", age)
    assert (run.code, run.out, run.err) == (0, "", "nothing to remove\n")
    data = phi("runs", "rm", "--older-than", age, "--json").json["data"]
    assert data == {"dry_run": False, "done": False, "runs": []}
    assert len(names(kept)) == 3


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_off_a_terminal_without_yes_nothing_happens(phi: Phi, kept: History, json: list[str]) -> None:
    run = phi("runs", "rm", "aaa", *json, stdin=b"y\n")
    assert run.code == 2
    assert "--yes" in (run.json["error"]["hint"] if json else run.err)
    assert len(names(kept)) == 3


def test_dry_run_is_data(phi: Phi, kept: History) -> None:
    run = phi("runs", "rm", "--older-than", "0h", "--dry-run")
    assert (run.code, run.err) == (0, "")
    assert [line.split()[0] for line in run.out.splitlines()] == ["aab2", "aaa1"]
    data = phi("runs", "rm", "aaa", "--dry-run", "--json").json["data"]
    assert (data["dry_run"], data["done"]) == (True, False)
    assert [one["run_id"] for one in data["runs"]] == ["aaa1"]
    assert len(names(kept)) == 3


def test_of_many_only_some_are_shown(phi: Phi, history: History) -> None:
    for number in range(30):
        history.add(replace(ENTRY, run_id=f"id{number:02}", made_at="2020-01-01T00:00:00+00:00"))
    run = phi("runs", "rm", "--older-than", "1d", "--yes")
    assert len(run.err.splitlines()) == 22
    assert run.err.splitlines()[-2:] == ["and 10 more; see all: --dry-run", "removed 30 runs"]
    assert names(history) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "gone"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False)])
def test_on_a_terminal_it_asks(kept: History, environment: dict[str, str], answer: bytes, gone: bool) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", "runs", "rm", "aaa", "aab"],
        env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 4096)
        assert b"Remove these 2 runs?" in seen
        assert len(names(kept)) == 3
        os.write(ours, answer)
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
    os.close(ours)
    assert process.returncode == 0
    assert (names(kept) == ["zzz"]) == gone
    assert (b"nothing was removed" in seen) != gone


def test_without_a_history(phi: Phi, environment: dict[str, str]) -> None:
    assert phi("runs", "rm", "last", "--yes").code == 3
    assert phi("runs", "rm", "--older-than", "1d", "--yes").err == "nothing to remove\n"
    assert not Path(environment["PHI_HOME"]).exists()


def test_a_damaged_history(phi: Phi, kept: History) -> None:
    kept.path.write_bytes(b"garbage" * 1000)
    for arguments in (["aaa"], ["--older-than", "1d"]):
        assert phi("runs", "rm", *arguments, "--yes", "--json").json["error"]["code"] == "integrity"


def test_a_home_that_is_read_only(phi: Phi, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        kept = History(disk / "data" / "runs.sqlite")
        kept.add(ENTRY)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = phi("runs", "rm", "last", "--yes", PHI_HOME=str(disk))
        assert (run.code, "removed" in run.err) == (2, False)
        assert kept.entries() == (ENTRY,)


def test_completion(phi: Phi, kept: History) -> None:
    done = phi(_PHI_COMPLETE="complete_bash", COMP_WORDS="phi runs rm aa", COMP_CWORD="3")
    assert sorted(done.out.split()) == ["aaa1", "aab2"]
    assert "rm" in phi(_PHI_COMPLETE="complete_bash", COMP_WORDS="phi runs r", COMP_CWORD="2").out.split()


def best(phi: Phi) -> dict[str, Any]:
    picks = phi("recommend", "--installed", "--context", "512", "--json").json["data"]["picks"]
    return dict(next(pick for pick in picks if pick["role"] == "best"))


def test_recommend_follows(phi: Phi, folder: Path) -> None:
    put_in_cache(folder, REPO, FILE)
    before = best(phi)
    assert before["speed"]["method"] == "estimated"
    bench = phi("bench", "phi-4-mini", "-p", "32", "-n", "4", "--repeat", "1", "--json")
    assert bench.code == 0, bench.err
    assert best(phi)["speed"]["method"] == "measured"
    assert phi("runs", "rm", "last", "--yes").code == 0
    assert best(phi)["speed"]["method"] == "estimated"


OLD = Measurement(
    Conditions("CPU", "xllamacpp 1", 2), "phi-4-mini", "Q4_K_M", 2_489_000_000, 2048, 11.5, 0.2, 512, 34.0,
    "2026-01-22T10:00:00+00:00",
)  # fmt: skip


@pytest.mark.parametrize("command", [["list"], ["show", "last"], ["export", "--csv"], ["rm", "last", "--dry-run"]])
def test_every_command_knows_what_earlier_versions_kept(phi: Phi, history: History, command: list[str]) -> None:
    path = history.path.with_name("measurements") / "one.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(OLD.to_data()))
    run = phi("runs", *command)
    assert run.code == 0
    assert run.err.count("into the history") == 1
    assert "speed" in run.out
    assert "phi-4-mini" in run.out
    assert not path.exists()
    assert phi("runs", *command).err == ""


def test_what_earlier_versions_kept_is_shown_as_it_is(phi: Phi, history: History) -> None:
    path = history.path.with_name("measurements") / "one.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(OLD.to_data()))
    row = phi("runs", "list", "--kind", "speed").out.splitlines()[1]
    assert "512 + ? @ 2048" in row
    assert "34.0 / 11.5 t/s" in row
    page = [line.strip() for line in phi("runs", "show", "last").out.splitlines()]
    assert "prompt      34.0 tokens/s" in page
    assert "generation  11.5 ± 0.2 tokens/s" in page
    assert [line for line in page if line.startswith("note") and "did not save samples" in line]
    (entry,) = phi("runs", "export", "--json").json["data"]["runs"]
    assert (entry["kind"], entry["data"]["weights_bytes"]) == ("speed", 2_489_000_000)
