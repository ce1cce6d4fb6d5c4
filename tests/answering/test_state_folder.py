"""The folder where the states of engines are while contexts grow."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from phicli.answering.state_carrier import give_away, state_folder
from tests.support.disks import small_file_system


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def folders(base: Path) -> Sequence[Path]:
    return sorted(base.glob("phi-state-*"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "cache"


def test_the_folder_is_private_and_gone_afterwards(cache: Path) -> None:
    with state_folder() as folder:
        assert folder is not None
        assert folder.parent == cache
        assert os.name == "nt" or folder.stat().st_mode & 0o777 == 0o700
        (folder / "state").write_bytes(b"keys and values")
    assert folders(cache) == []


def test_what_a_process_that_was_killed_has_left_behind_is_removed(cache: Path) -> None:
    """At once; unless it was given away to the engine, which saves a state when its ``phi`` has ended."""
    nobody, ours = cache / f"phi-state-{2**22 + 7}-x", cache / f"phi-state-{os.getpid()}-y"
    given, forgotten = cache / f"phi-state-{2**22 + 7}-z", cache / f"phi-state-{2**22 + 7}-w"
    earlier, other = cache / f"phi-state-{os.getpid()}-v", cache / "phi-state-by-hand"
    for folder in (nobody, ours, given, forgotten, earlier, other):
        folder.mkdir(parents=True)
        (folder / "state").write_bytes(b"keys and values")
    give_away(given)
    give_away(forgotten)
    os.utime(forgotten, (time.time() - 7200,) * 2)
    os.utime(earlier, (psutil.Process().create_time() - 7200,) * 2)  # of another process that had our number
    with state_folder():
        assert not nobody.exists()
    assert folders(cache) == sorted([ours, given, other])


@pytest.mark.process
def test_a_folder_in_memory_is_not_taken(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.mkdir()
    with small_file_system(cache, "size=1m"):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with state_folder() as folder:
            assert folder is not None
            assert folder.parent == tmp_path
        monkeypatch.setattr("tempfile.tempdir", str(cache))
        with state_folder() as folder:
            assert folder is None


def test_a_folder_on_a_disk_that_is_nearly_full_is_not_taken(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1 << 40, 1 << 40, 1 << 29))
    with state_folder() as folder:
        assert folder is None
    assert folders(cache) == []


def test_no_folder_where_none_can_be_made(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("a file in the way")
    monkeypatch.setattr("tempfile.tempdir", str(cache.parent / "below"))
    with state_folder() as folder:
        assert folder is None


def test_no_folder_where_there_is_no_temporary_one_either(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the only disk is full, or none can be written to."""
    cache.parent.write_text("a file in the way")
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(cache / "below")])
    with state_folder() as folder:
        assert folder is None
