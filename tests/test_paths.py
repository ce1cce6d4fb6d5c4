"""Files that somebody named are written whole or not at all, and in the place that they name."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phicli.paths import write_atomically, write_output
from tests.support.disks import small_file_system
from tests.support.interrupted import as_soon_as_made

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@POSIX
@pytest.mark.usefixtures("umask")
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    write_output(tmp_path / "new", b"new")
    assert mode(tmp_path / "new") == 0o640
    (tmp_path / "new").chmod(0o604)
    write_output(tmp_path / "new", b"newer")
    assert mode(tmp_path / "new") == 0o604
    assert (tmp_path / "new").read_bytes() == b"newer"
    write_atomically(tmp_path / "own", b"what is ours is for nobody else")
    assert mode(tmp_path / "own") == 0o600


@POSIX
def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    for content in (b"one", b"two"):
        write_output(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "folder" / "file").read_bytes() == content
    assert names(tmp_path / "folder") == ["file"]


@POSIX
def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to(os.devnull)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("no/file")
    before = names(tmp_path)
    for name in (*before, "no/file", "."):
        with pytest.raises(OSError, match=r"regular file|symbolic links|folder does not exist|directory"):
            write_output(tmp_path / name, b"content")
    assert names(tmp_path) == before
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert all((tmp_path / name).is_symlink() for name in ("device", "loop", "dangling"))


@pytest.mark.parametrize("write", [write_output, write_atomically])
def test_an_interruption_as_soon_as_the_new_file_is_there_leaves_none(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    (tmp_path / "file").write_bytes(b"before")
    with as_soon_as_made(tmp_path, ".file.*"):
        write(tmp_path / "file", b"after")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.process
def test_a_full_disk_leaves_what_was_there_and_is_told_with_the_name(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=64k") as disk:
        (disk / "file").write_bytes(b"before")
        for write in (write_output, write_atomically):
            with pytest.raises(OSError, match="space") as full:
                write(disk / "file", b"x" * 100_000)
            assert full.value.filename == str(disk / "file")
            assert names(disk) == ["file"]
            assert (disk / "file").read_bytes() == b"before"
