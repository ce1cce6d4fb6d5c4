"""Runs read from files, and files of runs written."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.runs.baseline import open_baseline
from phicli.bench.runs.run_files import read_runs, write_export
from phicli.errors import DoesNotFitError, IntegrityError, NotFoundError, UsageError
from phicli.records.history import Entry, History, entry_of
from tests.support.disks import small_file_system
from tests.support.runs import quants

ENTRIES = [entry_of(one).to_data() for one in quants()]
RUNS = [one.to_data() for one in quants()]
QUALITY = Entry("q", "2026", "quality", "m", None, "e", "b", "c", {"settings": {}, "samples": []}).to_data()
FORMS = {
    "phi bench --json": json.dumps({"schema": 1, "command": "bench", "data": {"hardware": {}, "runs": RUNS}}),
    "indented": json.dumps({"schema": 1, "command": "bench", "data": {"runs": RUNS}}, indent=2),
    "phi bench --jsonl": "\n".join(map(json.dumps, RUNS)) + "\n",
    "phi runs export": "".join(json.dumps(one) + "\n" for one in [*ENTRIES, QUALITY]),
    "phi runs export --json": json.dumps({"schema": 1, "command": "runs export", "data": {"runs": ENTRIES}}),
    "a list": json.dumps(RUNS),
    "lines of Windows, an empty one": "\r\n\r\n".join(map(json.dumps, RUNS)),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", FORMS)
def test_all_that_phi_writes_can_be_read(tmp_path: Path, form: str, encoding: str) -> None:
    """UTF-16 is what a redirection of an old PowerShell makes of it."""
    path = tmp_path / "runs"
    path.write_bytes(FORMS[form].encode(encoding))
    assert [one.to_data() for one in read_runs(path)] == RUNS


def test_one_that_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"schema": 1, "command": "runs show", "data": ENTRIES[0]}), encoding="utf-8")
    assert [one.to_data() for one in read_runs(path)] == RUNS[:1]


def test_a_file_is_a_baseline(tmp_path: Path) -> None:
    path = tmp_path / "base line.json"
    measured = [replace(one, subject=replace(one.subject, sha256=None)) for one in quants()]
    path.write_text(json.dumps([one.to_data() for one in measured]), encoding="utf-8")
    now = [replace(one, run_id=f"now{place}") for place, one in enumerate(measured)]
    baseline = open_baseline(str(path), 0.99, History(tmp_path / "none"))
    assert baseline is not None
    result = baseline.compare(now)
    assert [ratio.ratio for ratio in result.ratios] == pytest.approx([1] * 6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no run of phi bench"),
        (b"null", "no run of phi bench"),
        (b'{"data": {"runs": []}}', "no run of phi bench"),
        (b"run_id,made_at\nx,y\n", "line 1 of .* is not JSON"),
        (json.dumps(RUNS[0]).encode() + b"\n\n{oops\n", "line 3 of .* is not JSON"),
        (b"\xff\xfe\xfd\x80\x81", "is not a text file"),
        (b"[" * 100_000, "is not JSON"),
        (json.dumps(QUALITY).encode(), "no run of phi bench"),
    ],
    ids=range(8),
)
def test_files_that_have_no_runs(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_runs(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"samples": [{"decode_ms": -1.0}]},
        {"samples": [{"decode_ms": float("nan")}]},
        {"samples": [{"prompt_ms": 0}]},
        {"samples": [{"ttft_ms": "soon"}]},
        {"samples": 7},
        {"samples": ["x"]},
        {"settings": []},
        {"settings": {"threads": "many"}},
        {"hardware": None},
        {"generated_tokens": -5},
        {"generated_tokens": 1e400},
        {"model": 5, "load_ms": None},
        {"path": 3},
    ],
    ids=str,
)
def test_runs_that_are_damaged(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps({**RUNS[0], **damage}), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"file\.json"):
        read_runs(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_runs(tmp_path / "none.json")
    with pytest.raises(UsageError, match="not a regular file"):
        read_runs(tmp_path)
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageError, match="not a regular file"):
            read_runs(tmp_path / "pipe")


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    write_export(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    with pytest.raises(UsageError, match="already exists") as there:
        write_export(path, "other")
    assert "--force" in there.value.hint
    write_export(path, "other", force=True)
    assert path.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [path], "nothing else is left"


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "runs", "does not exist"),
        (tmp_path / "file" / "runs", "does not exist"),
        (tmp_path / "nowhere", "already exists"),
        (tmp_path / ("x" * 250), "cannot be written"),
        (Path(os.devnull), "a device or a pipe"),
    ):
        with pytest.raises(UsageError, match=said):
            write_export(path, "x")
    with pytest.raises(UsageError, match="device"):
        write_export(Path(os.devnull), "x", force=True)


@pytest.mark.process
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=16k") as disk:
        (disk / "runs.jsonl").write_text("before")
        with pytest.raises(DoesNotFitError, match="full"):
            write_export(disk / "runs.jsonl", "x" * 40_000, force=True)
        assert [path.name for path in disk.iterdir()] == ["runs.jsonl"]
        assert (disk / "runs.jsonl").read_text() == "before"
