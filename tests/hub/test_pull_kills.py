"""Pulls that are killed at any moment, that run beside each other, and that meet a full disk."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import small_file_system
from tests.support.files import model_bytes, sha256
from tests.support.hub import LoopbackHub
from tests.support.pulling import final_files, partial_files
from tests.support.running import Phi
from tests.support.waiting import wait_until

MIB = 1 << 20
SIZE = 64 * MIB
NAME = "m-Q4_K_M.gguf"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A model of 64 MiB and its hash."""
    content = model_bytes(SIZE)
    path = tmp_path_factory.mktemp("big") / NAME
    path.write_bytes(content)
    return path, sha256(content)


SAYS_WHEN = """
import sys

class Once:
    def find_spec(self, name, path=None, target=None):
        if name == "phicli.app":
            sys.meta_path.remove(self)
            open({marker!r}, "w").close()

sys.meta_path.insert(0, Once())
from phicli.__main__ import entry
entry()
"""
"""``phi``, and a file that is there as soon as it is responsible for signals; before that Python is."""


def start(environment: dict[str, str], hub: LoopbackHub, marker: Path | None = None) -> subprocess.Popen[bytes]:
    program = ["-m", "phicli"] if marker is None else ["-c", SAYS_WHEN.format(marker=str(marker))]
    return subprocess.Popen(
        [sys.executable, *program, "pull", "some/big"],
        env=environment | {"HF_HUB_OFFLINE": ""} | hub.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_bytes(hub: LoopbackHub, process: subprocess.Popen[bytes], count: int) -> None:
    """Wait until the storage has sent ``count`` bytes, or the process has ended."""
    while hub.requests.bytes_sent(server="cdn") < count and process.poll() is None:
        time.sleep(0.005)


def check_nothing_wrong(folder: Path, digest: str) -> None:
    """No file has a final name that is not the whole right file."""
    for name, path in final_files(folder).items():
        assert path.stat().st_size == SIZE, name
        assert sha256(path.read_bytes()) == digest, name


@pytest.mark.timeout(900)  # so many starts take long on a busy machine
@pytest.mark.parametrize(("xet", "kills"), [(False, 50), (True, 10)], ids=["http", "xet"])
def test_killed_again_and_again(
    hub: LoopbackHub,
    environment: dict[str, str],
    folder: Path,
    big: tuple[Path, str],
    online: Phi,
    tmp_path: Path,
    xet: bool,
    kills: int,
) -> None:
    path, digest = big
    hub.add_repo("some/big", {NAME: path}, xet=xet)
    hub.faults.add("/", server="cdn", times=None, bytes_per_second=48 * MIB)
    chance = random.Random(20261122)
    resumed = 0
    for round_ in range(kills):
        hub.requests.clear()
        process = start(environment, hub, marker := tmp_path / f"started-{round_}")
        wait_until(lambda marker=marker, process=process: marker.exists() or process.poll() is not None)  # type: ignore[misc]
        if round_ % 4:
            wait_for_bytes(hub, process, chance.randrange(MIB, 32 * MIB))
        else:  # at any moment, also before it asks for anything
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL if round_ % 2 else signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert b"Traceback" not in errors, errors.decode()
        assert process.returncode in (0, 130, -signal.SIGKILL, -signal.SIGINT)
        check_nothing_wrong(folder, digest)
        kept = sum(file.stat().st_size for file in partial_files(folder))
        resumed += kept > 0
        if final_files(folder) and round_ < kills - 1:
            shutil.rmtree(folder)
    hub.faults.clear()
    done = online("pull", "some/big", "--json")
    assert done.code == 0
    assert done.json["data"]["sha256"] == digest
    check_nothing_wrong(folder, digest)
    assert partial_files(folder) == []
    assert resumed > kills // 3, "the kills came too early or too late to prove anything"


def test_an_interrupted_pull_says_what_is_kept(
    hub: LoopbackHub, environment: dict[str, str], big: tuple[Path, str]
) -> None:
    hub.add_repo("some/big", {NAME: big[0]})
    hub.faults.add("/", server="cdn", times=None, bytes_per_second=32 * MIB)
    process = start(environment, hub)
    hub.requests.wait_for(NAME, server="cdn", sent=8 * MIB, timeout=60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "are saved" in errors.decode()


@pytest.mark.parametrize("xet", [False, True], ids=["http", "xet"])
def test_two_at_once_download_it_once(
    hub: LoopbackHub, environment: dict[str, str], folder: Path, big: tuple[Path, str], xet: bool
) -> None:
    hub.add_repo("some/big", {NAME: big[0]}, xet=xet)
    hub.faults.add("/", server="cdn", times=None, bytes_per_second=64 * MIB)
    both = [start(environment, hub), start(environment, hub)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    check_nothing_wrong(folder, big[1])
    data = hub.requests.bytes_sent("/xorbs/" if xet else NAME, server="cdn")
    assert data < 1.2 * SIZE


def test_the_other_goes_on_when_one_is_killed(
    hub: LoopbackHub, environment: dict[str, str], folder: Path, big: tuple[Path, str]
) -> None:
    hub.add_repo("some/big", {NAME: big[0]})
    hub.faults.add("/", server="cdn", times=None, bytes_per_second=32 * MIB)
    first = start(environment, hub)
    hub.requests.wait_for(NAME, server="cdn", sent=8 * MIB, timeout=60)
    second = start(environment, hub)
    time.sleep(1)
    first.kill()
    first.communicate(timeout=60)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors
    check_nothing_wrong(folder, big[1])
    assert hub.requests.bytes_sent(NAME, server="cdn") < 1.2 * SIZE


def test_beside_hf_download(hub: LoopbackHub, environment: dict[str, str], folder: Path, big: tuple[Path, str]) -> None:
    """The library of other tools takes the same lock."""
    hub.add_repo("some/big", {NAME: big[0]})
    hub.faults.add("/", server="cdn", times=None, bytes_per_second=32 * MIB)
    ours = start(environment, hub)
    hub.requests.wait_for(NAME, server="cdn", sent=4 * MIB, timeout=60)
    code = (
        f"from huggingface_hub import hf_hub_download as d; print(d('some/big', {NAME!r}, cache_dir={str(folder)!r}))"
    )
    theirs = subprocess.run(
        [sys.executable, "-c", code], env=environment | {"HF_HUB_OFFLINE": ""} | hub.environment,
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    out, _ = ours.communicate(timeout=60)
    assert out.decode() == theirs.stdout
    check_nothing_wrong(folder, big[1])
    assert hub.requests.bytes_sent(NAME, server="cdn") < 1.2 * SIZE


@pytest.fixture
def small_disk(tmp_path: Path, starts_process: None) -> Iterator[Path]:
    """A disk of 24 MiB."""
    with small_file_system(tmp_path / "disk", "size=24m") as folder:
        yield folder


def test_a_disk_that_is_too_small_is_noticed_before(
    hub: LoopbackHub, online: Phi, big: tuple[Path, str], small_disk: Path
) -> None:
    hub.add_repo("some/big", {NAME: big[0]})
    done = online("pull", "some/big", "--json", HF_HUB_CACHE=str(small_disk / "hub"))
    assert done.code == 5
    data = done.json["data"]
    assert data["needed_bytes"] == SIZE
    assert data["free_bytes"] <= 24 * MIB
    assert str(small_disk) in done.json["error"]["message"]
    assert hub.requests.bytes_sent(NAME, server="cdn") <= 64 * 1024  # of the header, to see that it is a model


def test_a_disk_that_fills_up_on_the_way_loses_nothing(
    hub: LoopbackHub, online: Phi, tmp_path: Path, small_disk: Path
) -> None:
    content = model_bytes(16 * MIB)
    hub.add_repo("some/big", {NAME: content})
    cache = small_disk / "hub"
    filler = small_disk / "filler"
    hub.faults.add(
        NAME, server="cdn", skip=1, bytes_per_second=16 * MIB,
        action=lambda: filler.write_bytes(bytes(14 * MIB)), action_after=2 * MIB,
    )  # fmt: skip
    full = online("pull", "some/big", "--json", HF_HUB_CACHE=str(cache))
    assert full.code == 5
    assert "continues where it stopped" in full.json["error"]["hint"]
    assert final_files(cache) == {}
    kept = sum(file.stat().st_size for file in partial_files(cache))
    assert kept > 2 * MIB
    filler.unlink()
    data = online("pull", "some/big", "--json", HF_HUB_CACHE=str(cache)).json["data"]
    assert data["resumed_from_bytes"] == kept
    assert data["sha256"] == sha256(content)
