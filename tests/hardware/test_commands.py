from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from phicli.hardware.commands import SYSTEM

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts"),
]


def script(folder: Path, text: str) -> str:
    path = folder / "nvidia-smi"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_an_answer(tmp_path: Path) -> None:
    output = SYSTEM([script(tmp_path, 'echo "$1 there"; echo noise >&2\n'), "hello"], 30)
    assert (output.text, output.failure) == ("hello there\n", None)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("echo 'NVIDIA-SMI has failed'; echo; exit 9", "nvidia-smi failed: NVIDIA-SMI has failed"),
        ("echo out; echo first >&2; echo the reason >&2; exit 1", "nvidia-smi failed: the reason"),
        ("exit 6", "nvidia-smi failed with exit code 6"),
        ("kill -SEGV $$", "nvidia-smi was ended by signal 11"),
    ],
)
def test_a_failure_in_the_programs_own_words(tmp_path: Path, text: str, failure: str) -> None:
    assert SYSTEM([script(tmp_path, text)], 30).failure == failure


def test_what_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    assert SYSTEM([script(tmp_path, r"printf '\377\376ok'")], 30).text == "\ufffd\ufffdok"


def test_no_such_program(tmp_path: Path) -> None:
    assert (
        SYSTEM([str(tmp_path / "nvidia-smi")], 30).failure == "nvidia-smi cannot be started: No such file or directory"
    )
    (tmp_path / "plain").write_text("text")
    assert SYSTEM([str(tmp_path / "plain")], 30).failure == "plain cannot be started: Permission denied"
    assert SYSTEM.has("sh")
    assert not SYSTEM.has("no-such-program-anywhere")


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """The child holds the pipe open and writes its number, by which it can be looked for."""
    pid_file = tmp_path / "pid"
    program = script(tmp_path, f"sleep 300 &\necho $! > {pid_file}.new; mv {pid_file}.new {pid_file}\nwait\n")
    for limit_s in (1, 4, 16):
        assert SYSTEM([program], limit_s).failure == f"nvidia-smi did not answer in {limit_s} s"
        if pid_file.exists():  # a busy machine may not have come that far
            break
    assert _gone(int(pid_file.read_text()))


def test_a_program_that_ends_while_its_child_holds_the_pipe(tmp_path: Path) -> None:
    """It has answered; the child is not waited for, and does not stay."""
    pid_file = tmp_path / "pid"
    output = SYSTEM([script(tmp_path, f"sleep 300 &\necho $! > {pid_file}\necho answer\nexit 0\n")], 60)
    assert (output.text, output.failure) == ("answer\n", None)
    assert _gone(int(pid_file.read_text()))


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_program_that_never_stops_talking(tmp_path: Path, where: str) -> None:
    """It is cut off after a megabyte: neither the memory nor the time is used up."""
    output = SYSTEM([script(tmp_path, f"yes 'NVIDIA GeForce, 24564, 24000' {where}\n")], 60)
    assert (output.text, output.failure) == ("", "nvidia-smi printed too much output")


def test_a_long_answer_is_whole(tmp_path: Path) -> None:
    output = SYSTEM([script(tmp_path, "head -c 500000 /dev/zero; head -c 500000 /dev/zero >&2")], 60)
    assert (len(output.text), output.failure) == (500_000, None)


def _gone(pid: int) -> bool:
    """Whether the process is dead, or dead and not collected, within a while."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[:1] == ["Z"]:
            return True
        time.sleep(0.05)
    return False
