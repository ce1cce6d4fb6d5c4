"""``phi bench`` where it can hardly print, keep or draw what it measured: nothing is lost, and it is told in words."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.records.history import History
from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.running import Phi

SHORT = ("bench", "tiny-phi", "-p", "16", "-n", "2", "-r", "1")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")


@pytest.fixture
def history(environment: dict[str, str]) -> Path:
    """Where the history is, in a folder that is there."""
    path = Path(environment["PHI_HOME"]) / "data" / "runs.sqlite"
    path.parent.mkdir(parents=True)
    return path


def started(environment: dict[str, str], *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    given = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen([sys.executable, "-m", "phicli", *arguments], env=environment, **given)


@POSIX
@pytest.mark.parametrize("output", [[], ["--json"], ["--jsonl"], ["--csv"], ["--markdown"]], ids=str)
def test_a_reader_that_has_left(environment: dict[str, str], history: Path, output: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with started(environment, *SHORT, *output, stdout=writer) as process:
        os.close(writer)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 141
    assert b"error" not in err
    assert len(History(history).entries()) == 1, "it was kept before it was printed"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
@pytest.mark.parametrize("command", [SHORT, ("runs", "list"), ("runs", "export", "--csv")], ids=lambda words: words[:2])
def test_standard_output_on_a_full_disk(environment: dict[str, str], phi: Phi, command: tuple[str, ...]) -> None:
    if command != SHORT:
        assert phi(*SHORT, "--quiet").code == 0
    with Path("/dev/full").open("wb") as full, started(environment, *command, stdout=full) as process:
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 5
    assert b"the disk is full: standard output" in err


@POSIX
def test_streams_that_are_closed(environment: dict[str, str], history: Path) -> None:
    command = [sys.executable, "-m", "phicli", *SHORT, "--json"]
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>&- <&-', "sh", *command], env=environment, check=False, timeout=60)
    assert done.returncode == 0
    assert len(History(history).entries()) == 1


def not_kept(phi: Phi, **more: str) -> str:
    """The one line that says why a run was not kept, beside the result."""
    done = phi(*SHORT, **more)
    assert done.code == 0, done.err
    assert "tiny-phi:f16" in done.out
    (line,) = [line for line in done.err.splitlines() if "was not saved" in line]
    return line


def test_a_home_that_is_a_file(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = str(tmp_path / "file")
    assert "not a directory" in not_kept(phi, PHI_HOME=home)
    for command in (["list"], ["show", "last"], ["export"]):
        done = phi("runs", *command, PHI_HOME=home)
        assert done.code == 2, "none can be kept there, so that none was is no answer"
        assert "not a directory" in done.err


def test_a_home_on_a_disk_that_is_full_or_read_only(phi: Phi, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=64k") as disk:
        (disk / "filler").write_bytes(b"x" * 65_536)
        assert "is full" in not_kept(phi, PHI_HOME=str(disk))
        done = phi(*SHORT, PHI_HOME=str(disk))
        assert "None" not in done.err, "every warning names its file"
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "readonly" in not_kept(phi, PHI_HOME=str(disk)).replace("-", "")


def newer(path: Path) -> None:
    raw = sqlite3.connect(path)
    raw.executescript("CREATE TABLE runs (x); PRAGMA user_version = 9")
    raw.close()


@pytest.mark.parametrize(
    ("spoil", "words", "name"),
    [
        (newer, "newer phi", "runs.sqlite.newer"),
        (lambda path: path.write_bytes(b"garbage" * 999), "damaged", "runs.sqlite.damaged"),
        (lambda path: path.mkdir(), "not a regular file", "runs.sqlite.damaged"),
    ],
    ids=["newer", "damaged", "folder"],
)
def test_a_history_that_cannot_be_used(
    phi: Phi, history: Path, spoil: Callable[[Path], object], words: str, name: str
) -> None:
    spoil(history)
    before = history.read_bytes() if history.is_file() else None
    line = not_kept(phi)
    assert words in line
    assert name in line, "what to do"
    for command in (("runs", "list"), ("runs", "export"), (*SHORT, "--baseline", "last")):
        done = phi(*command)
        assert (done.code, done.out) == (8, "")
        assert name in done.err
    assert (history.read_bytes() if history.is_file() else None) == before


@POSIX
def test_a_plot_that_cannot_be_is_refused_before_anything_is_measured(phi: Phi, history: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.svg")
    (tmp_path / "loop.svg").symlink_to("loop.svg")
    (tmp_path / "device.png").symlink_to(os.devnull)
    for path in (*(tmp_path / name for name in ("pipe.svg", "loop.svg", "device.png")), "/dev/stdout", "plot.pdf"):
        done = phi(*SHORT, "--plot", str(path))
        assert (done.code, done.out) == (2, "")
        assert "a plot cannot be written" in done.err
    assert not history.exists()
    assert (tmp_path / "pipe.svg").is_fifo()


def test_without_the_plotting_library(environment: dict[str, str], history: Path) -> None:
    code = "import sys; sys.modules['matplotlib'] = None; from phicli.app import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *SHORT, "--plot", "plot.svg"],
        env=environment, capture_output=True, check=False, timeout=60, cwd=history.parent,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert b'pip install ".[plot]"' in done.stderr
    assert list(history.parent.iterdir()) == []


def test_a_disk_that_is_full_when_the_plot_is_drawn_loses_no_result(phi: Phi, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=8k") as disk:
        (disk / "filler").write_bytes(b"x" * 4096)
        plot = str(disk / "plot.svg")
        text = phi(*SHORT, "--plot", plot)
        assert text.code == 5
        assert "tiny-phi:f16" in text.out
        assert f"the plot was not written: the disk of {plot} is full" in text.err
        done = phi(*SHORT, "--plot", plot, "--json")
        assert done.code == 5
        assert done.json["error"]["code"] == "does_not_fit"
        assert len(done.json["data"]["runs"]) == 1
        assert [path.name for path in disk.iterdir()] == ["filler"]


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[str]:
    """tiny-phi under a name that breaks lines, colours, quotes, and turns the direction of writing."""
    if sys.platform == "win32":
        pytest.skip("no such names on Windows")
    path = tmp_path / "a\n\r\x1b[31mb\x1b]0;t\x07\"q'u|o`*te,=\x9b2J\u2028\u202e_x_ <b>.gguf"
    path.write_bytes(TINY_PHI.read_bytes())
    yield str(path)
    path.unlink()


def test_a_name_is_a_name_in_every_output(phi: Phi, hostile: str) -> None:
    command = ("bench", hostile, *SHORT[2:])
    outputs = {
        name: phi(*command, *([f"--{name}"] if name else [])) for name in ("", "json", "jsonl", "csv", "markdown")
    }
    outputs |= {f"runs {name}": phi("runs", *name.split()) for name in ("list", "show last", "export", "export --csv")}
    for name, done in outputs.items():
        assert done.code == 0, (name, done.err)
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(done.out.replace("\r\n", "\n") + done.err), name
    assert outputs["json"].json["data"]["runs"][0]["path"] == hostile
    assert json.loads(outputs["jsonl"].out)["path"] == hostile
    for name in ("csv", "runs export --csv"):
        rows = list(csv.reader(io.StringIO(outputs[name].out, newline="")))
        assert {len(row) for row in rows} == {len(rows[0])}, name
    table = [line for line in outputs["markdown"].out.splitlines() if line.startswith("|")]
    assert len(table) == 3
    assert len(outputs["runs list"].out.splitlines()) == 6


@POSIX
def test_a_name_that_is_no_text_is_refused_in_words(phi: Phi, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.gguf"
    try:
        Path(os.fsdecode(path)).write_bytes(TINY_PHI.read_bytes())
    except OSError:
        pytest.skip("no such names on this file system")
    done = phi("bench", os.fsdecode(path), *SHORT[2:])
    assert (done.code, done.out) == (2, "")
    assert "not UTF-8" in done.err
