"""A command that is started as a copy ends, prints and reads as one that is started by itself."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.support.prepared import Prepared
from tests.support.waiting import wait_until

QUESTION = "What is the capital of France?"
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has what it needs"),
]


def afresh(words: list[str], variables: Mapping[str, str], given: bytes | None) -> subprocess.CompletedProcess[bytes]:
    stdin = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    command = [sys.executable, "-m", "phicli", *words]
    return subprocess.run(command, env=variables, capture_output=True, check=False, **stdin)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["chat", "tiny-phi", QUESTION], None),
        (["chat", "tiny-phi"], QUESTION.encode()),
        (["chat", "no-such-model", "hi"], None),
        (["remotes", "list", "--json"], None),
        (["list", "--no-such-option"], None),
        (["chat", "tiny-phi", "\udcff é"], None),
        (["completion"], b""),
        ([], None),
    ],
)
def test_it_ends_and_prints_as_one_that_is_started_by_itself(
    prepared: Prepared, environment: dict[str, str], words: list[str], given: bytes | None
) -> None:
    assert prepared.suits(environment, given)
    expected, found = afresh(words, environment, given), prepared.run(words, environment, given, 120)
    assert (found.returncode, found.stdout, found.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_it_works_in_the_folder_of_the_test_and_with_its_variables(
    prepared: Prepared, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text(f"{QUESTION}\n", encoding="utf-8")
    command = ["batch", "in.txt", "--out", "out.jsonl", "tiny-phi"]
    assert prepared.run(command, environment, None, 120).returncode == 0
    assert "Paris" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    asked = prepared.run(["chat", "tiny-phi", "hi"], environment | {"PHI_CHAT_TEMPERATURE": "hot"}, None, 120)
    assert b"PHI_CHAT_TEMPERATURE" in asked.stderr


def test_what_is_read_early_and_long_input_need_a_process_of_their_own(
    prepared: Prepared, environment: dict[str, str]
) -> None:
    assert prepared.suits(environment | {"PHI_CHAT_SEED": "1", "HF_HUB_OFFLINE": ""}, b"short")
    assert not prepared.suits(environment | {"PYTHONUTF8": "0"}, None)
    assert not prepared.suits({name: value for name, value in environment.items() if name != "PATH"}, None)
    assert not prepared.suits(environment, bytes(100_000))


def test_several_at_a_time_have_their_own_streams(prepared: Prepared, environment: dict[str, str]) -> None:
    names = ["France", "Italy", "Japan", "France"]
    with ThreadPoolExecutor(len(names)) as threads:
        runs = list(
            threads.map(
                lambda name: (
                    prepared.run(
                        ["chat", "tiny-phi"], environment, f"What is the capital of {name}?".encode(), 120
                    ).stdout
                ),
                names,
            )
        )
    assert runs == [
        f"The capital of {name} is {capital}.\n".encode()
        for name, capital in zip(names, ["Paris", "Rome", "Tokyo", "Paris"], strict=True)
    ]


@pytest.mark.usefixtures("storyteller")
def test_one_that_takes_too_long_is_killed_and_one_that_was_killed_says_so(
    prepared: Prepared, environment: dict[str, str]
) -> None:
    endless = ["chat", "storyteller", "Tell me a very long story.", "-n", "60000", "--temperature", "1", "--seed", "1"]
    with pytest.raises(subprocess.TimeoutExpired):
        prepared.run(endless, environment, None, 5)
    wait_until(lambda: not commands(prepared))  # else the one that was killed could be taken for the next one
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(prepared.run, endless, environment, None, 120)
        wait_until(lambda: bool(commands(prepared)))
        commands(prepared)[0].kill()
        assert running.result().returncode == -signal.SIGKILL


def commands(prepared: Prepared) -> list[psutil.Process]:
    """The commands that run now: each has a parent that waits for it, which is a copy of the program."""
    found: list[psutil.Process] = []
    for waits in psutil.Process(prepared.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            found += waits.children()
    return found
