"""``phi runs list``, ``show`` and ``export`` as people use them; ``rm`` has a file of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.runs.run_files import read_runs
from phicli.records.history import Entry, History, entry_of
from tests.support.disks import small_file_system
from tests.support.running import Phi
from tests.support.runs import quants, run

EVAL = Entry(
    "2q2rgw0zzz", "2026-11-22T23:00:00+00:00", "eval", "tiny-phi", None, "xllamacpp", "xllamacpp 1", "CPU",
    {
        "accuracy": {"estimate": 0.8, "low": 0.67, "high": 0.89, "confidence": 0.95},
        "settings": {"seed": 1, "temperature": 0.0},
        "results": [{"id": "a1", "right": True, "question": "How many? " * 20}, {"id": "a2", "right": False}],
    },
)  # fmt: skip


@pytest.fixture
def history(environment: dict[str, str]) -> History:
    return History(Path(environment["PHI_HOME"]) / "data" / "runs.sqlite")


@pytest.fixture
def kept(history: History) -> History:
    """Two quants and an evaluation, the evaluation the newest."""
    for name, one in zip(("2q2rgvq72w", "2q2rgvr000"), quants(), strict=True):
        history.add(replace(entry_of(replace(one, run_id=name)), run_id=name))
    history.add(EVAL)
    return history


def test_nothing_was_kept_yet(phi: Phi, environment: dict[str, str]) -> None:
    for command in (["list"], ["ls"], ["export"], ["export", "--csv"]):
        done = phi("runs", *command)
        assert (done.code, done.out) == (0, "")
        assert "phi bench" in done.err
    assert phi("runs", "list", "--json").json["data"] == {"runs": [], "more": False}
    assert phi("runs", "export", "--json").json["data"] == {"runs": []}
    done = phi("runs", "show", "last")
    assert done.code == 3
    assert "to save one: phi bench" in done.err
    assert not Path(environment["PHI_HOME"]).exists(), "looking makes nothing"


def test_list(phi: Phi, kept: History) -> None:
    heading, *rows = phi("runs", "list").out.splitlines()
    assert heading.split() == ["RUN", "MADE", "KIND", "MODEL", "WORK", "RESULT", "ENGINE", "PROCESSOR", "SETTINGS"]
    assert [row.split()[0] for row in rows] == ["2q2rgw0zzz", "2q2rgvr000", "2q2rgvq72w"]
    assert "80 % (67 to 89)" in rows[0]
    assert "phi-4-mini:q8_0" in rows[1]
    assert "512 + 128" in rows[2]
    assert "34.0 / 9.80 t/s" in rows[2]


def test_list_only_some(phi: Phi, kept: History) -> None:
    assert [row.split()[0] for row in phi("runs", "list", "--kind", "EVAL").out.splitlines()[1:]] == ["2q2rgw0zzz"]
    assert len(phi("runs", "list", "--model", "phi-4-mini").out.splitlines()) == 3
    assert len(phi("runs", "list", "--model", "phi-4-mini:q8_0").out.splitlines()) == 2
    none = phi("runs", "list", "--model", "phi-9")
    assert none.out == ""
    assert none.err == "no saved run matches; see all: phi runs list\n"
    cut = phi("runs", "list", "--limit", "2")
    assert len(cut.out.splitlines()) == 3
    assert "older runs" in cut.err
    assert "older" not in phi("runs", "list", "--limit", "3").err
    data = phi("runs", "list", "--limit", "1", "--json").json["data"]
    assert data["more"] is True
    assert [(one["run_id"], one["kind"], one["result"]) for one in data["runs"]] == [
        ("2q2rgw0zzz", "eval", "80 % (67 to 89)")
    ]
    assert "data" not in data["runs"][0], "a list stays short"


@pytest.mark.parametrize(
    "arguments", [["--kind", "nonsense"], ["--limit", "0"], ["--limit", "-1"], ["--limit", "x"]], ids=" ".join
)
def test_list_with_nonsense(phi: Phi, arguments: list[str]) -> None:
    assert phi("runs", "list", *arguments).code == 2
    assert phi("runs", "list", *arguments, "--json").json["error"]["code"] == "usage"


def test_show_a_run(phi: Phi, kept: History) -> None:
    done = phi("runs", "show", "2q2rgvq")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "2q2rgvq72w: phi-4-mini:q4_k_m"
    assert "  generation   9.80 ± 0.08 tokens/s (95 % interval 9.70 to 9.90)" in lines
    assert ["size", "2.32", "GiB"] in [line.split() for line in lines]
    assert "Settings" in lines
    assert "Samples" in lines
    samples = lines[lines.index("Samples") + 1 :]
    assert samples[0].split() == ["prompt", "ms", "decode", "ms", "ttft", "ms"]
    assert len(samples) == 6
    assert phi("runs", "show", "2Q2RGVQ72W").out == done.out


def test_show_as_json_is_all_of_it(phi: Phi, kept: History) -> None:
    data = phi("runs", "show", "last", "--json").json["data"]
    assert data == EVAL.to_data()
    assert phi("runs", "show", "2q2rgvr", "--json").json["data"]["data"]["quant"] == "Q8_0"


def test_show_what_is_no_speed_run(phi: Phi, kept: History) -> None:
    done = phi("runs", "show", "last")
    assert "accuracy   0.8 (0.67 to 0.89)" in done.out
    assert "temperature  0" in done.out
    assert "a2     no" in done.out
    assert "question" not in done.out
    assert "question" in done.err
    assert "--json" in done.err


def test_show_what_there_is_not(phi: Phi, kept: History) -> None:
    none = phi("runs", "show", "zz")
    assert (none.code, none.out) == (3, "")
    assert "phi runs list" in none.err
    several = phi("runs", "show", "2q2rgv", "--json")
    assert several.code == 2
    assert "2q2rgvq72w" in several.json["error"]["message"]
    assert phi("runs", "show").code == 2


def test_export_as_lines(phi: Phi, kept: History) -> None:
    done = phi("runs", "export")
    assert [json.loads(line)["run_id"] for line in done.out.splitlines()] == ["2q2rgvq72w", "2q2rgvr000", "2q2rgw0zzz"]
    assert phi("runs", "export", "--jsonl").out == done.out
    some = phi("runs", "export", "last", "2q2rgvr", "2q2rgw").out.splitlines()
    assert [json.loads(line)["run_id"] for line in some] == ["2q2rgw0zzz", "2q2rgvr000"], "in that order, each once"
    assert json.loads(some[0]) == EVAL.to_data()


def test_export_for_spreadsheets(phi: Phi, kept: History) -> None:
    kept.add(
        replace(EVAL, run_id="zz", model='=HYPERLINK("http://a")', data={"text": 'two\nlines, "quoted"', "n": None})
    )
    rows = list(csv.DictReader(io.StringIO(phi("runs", "export", "--csv").out, newline="")))
    assert [row["run_id"] for row in rows] == ["2q2rgvq72w", "2q2rgvr000", "2q2rgw0zzz", "zz"]
    assert rows[0]["threads"] == "2"
    assert float(rows[0]["decode_tps_mean"]) == pytest.approx(9.8, rel=1e-3)
    assert rows[2]["seed"] == "1"
    assert rows[2]["threads"] == ""
    assert rows[3]["text"] == 'two\nlines, "quoted"'
    assert rows[3]["model"].startswith("'=")


def test_names_of_control_characters_tear_no_spreadsheet_apart(phi: Phi, history: History) -> None:
    names = ["\r-1.gguf", "a\r\nb", "\x1b[31m\x9b2J", "q\"u,o'te", "\udcff"]
    for number, name in enumerate(names):
        history.add(replace(EVAL, run_id=f"a{number}", model=name, data={"path": name, "list": [name]}))
    done = phi("runs", "export", *(f"a{number}" for number in range(len(names))), "--csv")
    assert "\x1b" not in done.out
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [row["path"] for row in rows] == ["'-1.gguf", "a\nb", "\ufffd[31m\ufffd2J", "q\"u,o'te", "?"]
    assert [json.loads(row["list"]) for row in rows] == [[name] for name in names]


def test_export_into_a_file(phi: Phi, kept: History, tmp_path: Path) -> None:
    path = tmp_path / "kept runs.jsonl"
    done = phi("runs", "export", "2q2rgvq", "--output", str(path))
    assert (done.code, done.out) == (0, "")
    assert "1 run in" in done.err
    assert [one.run_id for one in read_runs(path)] == ["2q2rgvq72w"]
    before = path.read_bytes()
    again = phi("runs", "export", "--output", str(path))
    assert again.code == 2
    assert "--force" in again.err
    assert path.read_bytes() == before
    forced = phi("runs", "export", "--json", "--force", "-o", str(path))
    assert forced.json["data"] == {"path": str(path), "count": 3}
    assert len(json.loads(path.read_bytes())["data"]["runs"]) == 3
    assert len(read_runs(path)) == 2
    assert len(phi("runs", "export", "--output", "-").out.splitlines()) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_no_export_waits_for_a_pipe_or_takes_its_place(
    phi: Phi, kept: History, tmp_path: Path, force: list[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = phi("runs", "export", "--output", str(tmp_path / "pipe"), *force)
    assert done.code == 2
    assert "a device or a pipe" in done.err
    assert (tmp_path / "pipe").is_fifo()


def test_an_export_to_a_full_disk_leaves_nothing_half(phi: Phi, kept: History, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=4k") as disk:
        (disk / "filler").write_bytes(b"x" * 4096)
        done = phi("runs", "export", "--output", str(disk / "runs.jsonl"))
        assert (done.code, [path.name for path in disk.iterdir()]) == (5, ["filler"])
        assert "runs.jsonl is full" in done.err


def test_names_that_are_no_text_find_nothing(phi: Phi, kept: History) -> None:
    assert phi("runs", "list", "--model", "\udcff").code == 0
    assert phi("runs", "show", "\udcff").code == 3


def test_exports_that_cannot_be(phi: Phi, kept: History, tmp_path: Path) -> None:
    for arguments in (
        ["--output", str(tmp_path)],
        ["--output", str(tmp_path / "no" / "file")],
        ["--csv", "--jsonl"],
    ):
        done = phi("runs", "export", *arguments)
        assert (done.code, "→" in done.err) == (2, True)
    assert phi("runs", "export", "--csv", "--json").json["error"]["code"] == "usage"
    assert phi("runs", "export", "zz").code == 3


def test_a_damaged_history(phi: Phi, kept: History) -> None:
    kept.path.write_bytes(b"garbage" * 1000)
    for command in (["list"], ["show", "last"], ["export"]):
        done = phi("runs", *command)
        assert (done.code, done.out) == (8, "")
        assert "mv" in done.err or "move" in done.err
        assert phi("runs", *command, "--json").json["error"]["code"] == "integrity"


def test_names_cannot_forge_lines(phi: Phi, history: History) -> None:
    name = "/m/a\nRUN forged\x1b[2J\u202e.gguf"
    history.add(replace(EVAL, run_id="aaa", model=name, data={"note\nforged": "x\nforged", "size_bytes": 5}))
    assert len(phi("runs", "list").out.splitlines()) == 2
    for command in (["list"], ["show", "aaa"]):
        done = phi("runs", *command)
        assert not [line for line in done.out.splitlines() if line.startswith(("RUN forged", "forged"))]
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
        assert "\u202e" not in phi("runs", *command, "--json").out
    assert "\u202e" not in phi("runs", "export").out


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
@pytest.mark.parametrize("command", [["list"], ["show", "last"], ["show", "2q2rgvq"]], ids=" ".join)
def test_on_a_terminal_of_80_columns(kept: History, environment: dict[str, str], command: list[str]) -> None:
    kept.add(entry_of(replace(run("phi-4-mini-reasoning"), run_id="2q2rgvq000")))
    text = on_a_terminal(["runs", *(word.replace("2q2rgvq", "2q2rgvq0") for word in command)], environment)
    assert "2q2rgvq0" in text or "last" in command
    assert max(map(len, text.splitlines())) <= 80
    if command == ["list"]:
        assert "phi-4-mini-reasoning:q4_k_m" in text, "names are whole"


def on_a_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """What ``phi`` writes to a terminal of 80 columns."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", *arguments],
        env=environment | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 65536):
            found += part
    except OSError:  # what Linux says when the other side has been closed
        pass
    os.close(ours)
    assert process.communicate(timeout=60)[1] is not None
    assert process.returncode == 0
    return found.decode()


def test_completion_of_ids(phi: Phi, kept: History) -> None:
    words = "phi runs show 2q2rgv"
    done = phi(_PHI_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
    assert done.out.split() == ["2q2rgvr000", "2q2rgvq72w"]
