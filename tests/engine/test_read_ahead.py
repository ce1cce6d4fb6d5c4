"""Reading a file that is not in memory; Linux, on a file system that says what is in memory."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from phicli.engine.read_ahead import ReadAhead, ReadSoFar
from tests.support.waiting import wait_until

SIZE = (40 << 20) + 5
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what is in memory")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is in memory."""
    path = tmp_path / "model.gguf"
    path.write_bytes(os.urandom(SIZE))
    with path.open("rb") as opened:
        os.fsync(opened.fileno())  # only what was written can be dropped from memory
        if sys.platform.startswith("linux") and not answers(opened.fileno()):
            pytest.skip("this file system does not say what is in memory")
    return path


def answers(handle: int) -> bool:
    try:
        os.preadv(handle, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def forget(path: Path) -> None:
    """Drop the file from memory."""
    with path.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def all_read(files: list[Path]) -> ReadSoFar:
    with ReadAhead(files) as reading:
        wait_until(lambda: reading.so_far.done_bytes == SIZE * len(files))
    return reading.so_far


@linux
def test_what_is_in_memory_is_not_read(file: Path) -> None:
    assert all_read([file])[:3] == (SIZE, SIZE, 0)


@linux
def test_what_is_on_the_disk_is_read_and_then_is_in_memory(file: Path) -> None:
    forget(file)
    read = all_read([file])
    assert read[:2] == (SIZE, SIZE)
    assert 0 < read.disk_bytes <= SIZE, "the system drops most of it"
    assert read.disk_s > 0
    assert all_read([file]).disk_bytes == 0


@linux
def test_all_parts_of_a_model_are_read(file: Path) -> None:
    second = file.with_name("second.gguf")
    second.write_bytes(file.read_bytes())
    forget(file)
    assert all_read([second, file])[1:3] == (2 * SIZE, SIZE)


@linux
def test_what_is_in_memory_is_not_counted_as_read(file: Path) -> None:
    second = file.with_name("second.gguf")
    second.write_bytes(file.read_bytes())
    forget(file)
    assert all_read([file, second])[1:3] == (2 * SIZE, SIZE)


def test_a_file_that_cannot_be_read_is_left_to_the_engine(tmp_path: Path) -> None:
    with ReadAhead([tmp_path / "no.gguf"]) as reading:
        wait_until(lambda: all(thread.name != "phi-read-ahead" for thread in threading.enumerate()))
    assert reading.so_far == (0, 0, 0, 0.0)


def test_a_system_that_does_not_say_what_is_in_memory_reads_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phicli.engine.read_ahead._NOWAIT", None)
    with ReadAhead([file]) as reading:
        assert all(thread.name != "phi-read-ahead" for thread in threading.enumerate())
    assert reading.so_far.total_bytes == 0


@linux
def test_leaving_ends_the_reading(file: Path) -> None:
    forget(file)
    with ReadAhead([file] * 1000):
        pass
    wait_until(lambda: all(thread.name != "phi-read-ahead" for thread in threading.enumerate()))
