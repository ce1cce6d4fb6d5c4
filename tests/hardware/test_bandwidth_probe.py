from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from phicli.hardware import bandwidth
from phicli.hardware.bandwidth import best_rate, buffer_bytes, probe_bandwidth

MIB = 1 << 20


def steady(begin: float, seconds: float, blocks: int) -> list[float]:
    return [begin + seconds * number / blocks for number in range(blocks + 1)]


@pytest.mark.parametrize(
    ("cache", "available", "wanted"),
    [(32, None, 128), (None, None, 128), (256, None, 256), (2, None, 16), (0, None, 128), (32, 8192, 128),
     (32, 512, 64), (32, 8, 1), (32, 0, 0)],
)  # fmt: skip
def test_the_buffer_is_above_the_cache_and_small_beside_what_is_free(
    cache: int | None, available: int | None, wanted: int
) -> None:
    sizes = [None if size is None else size * MIB for size in (cache, available)]
    assert buffer_bytes(sizes[0], sizes[1]) == wanted * MIB


def test_threads_add_up() -> None:
    assert best_rate([steady(0, 1, 100)], MIB, 0.1) == pytest.approx(100 * MIB)
    assert best_rate([steady(0, 1, 100), steady(0, 1, 50)], MIB, 0.1) == pytest.approx(150 * MIB)


def test_the_best_window_counts() -> None:
    slow_then_fast = steady(0, 0.5, 10) + steady(0.5, 0.5, 100)[1:]
    assert best_rate([slow_then_fast], MIB, 0.1) == pytest.approx(200 * MIB)


def test_turns_are_not_taken_for_speed() -> None:
    """Two threads on one core, each reading for half of the time, must not count twice."""
    first, second = [0.0], [0.0]
    for turn in range(50):
        at = turn * 0.02
        first += [at + 0.001 * step for step in range(1, 11)]
        second += [at + 0.01 + 0.001 * step for step in range(1, 11)]
    assert best_rate([first, second], MIB, 0.04) == pytest.approx(1000 * MIB, rel=0.15)


def test_only_the_time_in_which_all_read_counts() -> None:
    late = steady(0.5, 0.5, 50)
    assert best_rate([steady(0, 1, 100), late], MIB, 0.1) == pytest.approx(200 * MIB)


def test_threads_that_never_met_count_over_all() -> None:
    assert best_rate([steady(0, 1, 10), steady(1, 1, 10)], MIB, 0.1) == pytest.approx(10 * MIB)


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_a_short_probe(cores: int) -> None:
    found = probe_bandwidth(cores, budget_s=0.02, cache_bytes=MIB, available_bytes=256 * MIB)
    assert found.source == "probe"
    assert found.flops is None
    assert 1e7 < found.bytes_per_s < 1e13


def test_more_threads_than_blocks() -> None:
    assert probe_bandwidth(64, budget_s=0.01, available_bytes=16 * MIB).bytes_per_s > 0
    assert probe_bandwidth(0, budget_s=0.01, available_bytes=0).bytes_per_s > 0


def test_the_reader_reads_to_the_end() -> None:
    """It must find the one byte it looks for at the very end, so it cannot have stopped before."""
    read, write = bandwidth._functions()
    memory = ctypes.create_string_buffer(4096)
    address = ctypes.addressof(memory)
    write(address, 4096)
    assert memory.raw == b"\1" * 4096
    assert read(address, 4096) is None
    memory[4095] = b"\0"
    assert read(address, 4096) == address + 4095
    assert read(address, 4095) is None


def test_without_memory_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(size: int) -> object:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(bandwidth, "_fresh_memory", refuse)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        probe_bandwidth(1)


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_after_ctrl_c_nobody_reads_the_memory_that_was_given_back() -> None:
    code = (
        "import os, signal, threading\n"
        "from phicli.hardware.bandwidth import probe_bandwidth\n"
        "interrupted = 0\n"
        "for _ in range(25):\n"
        "    timer = threading.Timer(0.03, os.kill, [os.getpid(), signal.SIGINT])\n"
        "    try:\n"
        "        timer.start()\n"
        "        probe_bandwidth(2, budget_s=0.5, cache_bytes=4 << 20, available_bytes=1 << 30)\n"
        "    except KeyboardInterrupt:\n"
        "        interrupted += 1\n"
        "print(interrupted)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "25\n"), done.stderr
