from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phicli.bench.measuring.peak_memory import PeakMemory, higher
from phicli.records.run import Peak

MIB = 1 << 20


def status(root: Path, text: str) -> None:
    path = root / "proc" / "7" / "status"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_kernel_keeps_the_total_and_we_keep_the_anonymous_part(tmp_path: Path) -> None:
    memory = PeakMemory(7, tmp_path)
    status(tmp_path, "Name:\tengine\nVmHWM:\t  3000 kB\nVmRSS:\t  2000 kB\nRssAnon:\t  900 kB\nRssFile:\t 1100 kB\n")
    memory.look()
    status(tmp_path, "VmHWM:\t  3500 kB\nRssAnon:\t  400 kB\n")
    memory.look()
    assert memory.peak == Peak(3500 * 1024, 900 * 1024)


def test_an_old_kernel_does_not_tell_the_anonymous_part(tmp_path: Path) -> None:
    memory = PeakMemory(7, tmp_path)
    status(tmp_path, "VmHWM:\t  3000 kB\n")
    memory.look()
    assert memory.peak == Peak(3000 * 1024, None)


@pytest.mark.parametrize("text", ["", "VmHWM:\n", "VmHWM: much kB\n", "\0\xff"])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    memory = PeakMemory(7, tmp_path)
    memory.look()
    status(tmp_path, text)
    memory.look()
    assert memory.peak is None


def test_a_process_that_ended_keeps_its_peak(tmp_path: Path) -> None:
    memory = PeakMemory(7, tmp_path)
    status(tmp_path, "VmHWM:\t  3000 kB\nRssAnon:\t  900 kB\n")
    memory.look()
    (tmp_path / "proc" / "7" / "status").unlink()
    memory.look()
    assert memory.peak == Peak(3000 * 1024, 900 * 1024)


def test_the_higher_of_two() -> None:
    assert higher(Peak(1, 9), Peak(5, 3)) == Peak(5, 9)
    assert higher(None, Peak(5, 3)) == higher(Peak(5, 3), None) == Peak(5, 3)
    assert higher(Peak(1, None), Peak(2, 3)) == Peak(2, 3)
    assert higher(Peak(1, None), Peak(2, None)) == Peak(2, None)
    assert higher(None, None) is None


@pytest.mark.process
def test_memory_that_was_given_back_still_counts() -> None:
    """A real process that takes 64 MiB, and has given them back when it is looked at."""
    code = "import sys; big = b'x' * (64 << 20); del big; print('done', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        memory = PeakMemory(process.pid)
        memory.look()
        process.stdin.close()
    assert memory.peak is not None
    if sys.platform in ("linux", "win32"):
        assert 64 * MIB < memory.peak.total_bytes < 256 * MIB
    if sys.platform == "linux":
        assert memory.peak.anonymous_bytes is not None
        assert memory.peak.anonymous_bytes < 60 * MIB
    memory.look()
