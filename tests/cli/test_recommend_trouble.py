"""``phi recommend`` on machines that are odd, closed or broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from phicli.catalog.load import catalog
from phicli.engine.starting import build_of
from phicli.fit.calibration import Calibration, Measurement, shape_key
from phicli.hardware.cpu_facts import describe_cpu
from phicli.plan.candidates import expected_shape
from tests.support.running import Phi

needs_posix = pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")


def nvidia_smi(folder: Path, script: str) -> dict[str, str]:
    """A PATH whose first program of this name is ``script``."""
    folder.mkdir()
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@needs_posix
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sleep 300", "nvidia-smi did not answer in 2 s"),
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "Driver/library version"),
        ("yes 'NVIDIA GeForce, 24564, 24000'", "nvidia-smi printed too much output"),
        ("printf '\\377\\376, 12288, 12000\\n\\033[2Jx, 1, 1\\n'", "nvidia-smi names no card"),
        ("kill -SEGV $$", "nvidia-smi was ended by signal 11"),
    ],
    ids=["hangs", "fails", "floods", "binary", "crashes"],
)
def test_nvidia_smi_in_trouble(phi: Phi, tmp_path: Path, script: str, said: str) -> None:
    run = phi("recommend", "--json", **nvidia_smi(tmp_path / "bin", script))
    assert run.code == 0
    (note,) = (note for note in run.json["data"]["notes"] if "nvidia-smi" in note)
    assert said in note
    assert said in run.json["data"]["hardware"]["sources"]["gpus"]
    assert not [gpu for gpu in run.json["data"]["hardware"]["gpus"] if gpu["usable"]]


@needs_posix
def test_an_answer_is_taken_while_a_child_keeps_the_pipe(phi: Phi, tmp_path: Path) -> None:
    script = "sleep 300 &\necho 'NVIDIA GeForce RTX 4090, 24564, 24000'"
    run = phi("recommend", "--json", **nvidia_smi(tmp_path / "bin", script))
    assert "NVIDIA GeForce RTX 4090" in [gpu["name"] for gpu in run.json["data"]["hardware"]["gpus"]]


@pytest.mark.parametrize(
    "variables",
    [
        {"PHI_HOME": os.devnull},
        {"PHI_HOME": str(Path(os.devnull) / "below")},
        {"HF_HOME": os.devnull},
        {"HF_HUB_CACHE": str(Path("no", "such", "folder").absolute())},
        {"TMPDIR": "/no/such/folder"},
        {"COLUMNS": "1"},
        {"COLUMNS": "many"},
        {"LC_ALL": "C", "LANG": "C"},
        {"LC_ALL": "xx_YY.UTF-8"},
        {"HOME": ""},
        {"HOME": "/no/such/home"},
    ],
    ids=lambda variables: " ".join("=".join(pair) for pair in variables.items()).replace("/", "_"),
)
def test_odd_environments_change_nothing(phi: Phi, variables: dict[str, str]) -> None:
    plain, odd = phi("recommend", "--ram", "16G"), phi("recommend", "--ram", "16G", **variables)
    assert (odd.code, odd.out, odd.err) == (0, plain.out, plain.err)
    assert phi("recommend", "--json", **variables).code == 0


def test_without_a_home_or_a_path(environment: dict[str, str]) -> None:
    bare = {name: value for name, value in environment.items() if name not in ("HOME", "PATH", "PHI_HOME", "HF_HOME")}
    command = [sys.executable, "-m", "phicli", "recommend", "--json"]
    done = subprocess.run(command, env=bare, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_of_seven_bits(phi: Phi) -> None:
    run = phi("recommend", "--ram", "16G", "--explain", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert run.code == 0
    assert run.out.isascii()
    assert "?" not in run.out
    assert json.loads(phi("recommend", "--ram", "16G", "--json", PYTHONIOENCODING="ascii").out)["data"]["picks"]


@pytest.mark.parametrize("arguments", [["--all", "--explain"], ["--json"]])
def test_a_reader_who_has_left(environment: dict[str, str], arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "phicli", "recommend", "--ram", "16G", *arguments]
    done = subprocess.run(command, env=environment, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_full_disk(environment: dict[str, str], arguments: list[str]) -> None:
    command = [sys.executable, "-m", "phicli", "recommend", "--ram", "16G", *arguments]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 5
    assert b"the disk is full" in done.stderr


NUMBERS = [0, 1, -1, 1e-308, 5e-324, 1e308, 10**400, True, None, "1", float("nan")]


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_numbers_that_are_damaged_do_no_harm(phi: Phi, environment: dict[str, str], number: Any) -> None:
    """Of the right processor, engine, shape and file: only the numbers in it make no sense.

    The measurements are files of an earlier version: those whose numbers are possible are taken over.
    """
    kept = Path(environment["PHI_HOME"])
    variant = next(one for one in catalog().variants if one.id == "phi-4-mini")
    shape = expected_shape(variant, "Q4_K_M")
    assert shape is not None
    cpu = describe_cpu()[0]
    for repack in (False, True):
        conditions = {"cpu": cpu.name, "build": build_of(), "threads": cpu.physical_cores, "repack": repack,
                      "device": "cpu"}  # fmt: skip
        known = {"conditions": conditions, "quant": "Q4_K_M", "made_at": "2026-01-01T00:00:00+00:00",
                 "shape_key": shape_key(shape[0]), "variant_id": "phi-4-mini"}  # fmt: skip
        for kind, name in ((Calibration, "calibrations"), (Measurement, "measurements")):
            data = {field.name: known.get(field.name, number) for field in fields(kind)}
            if kind is Measurement:
                data |= {"weights_bytes": shape[0].weights_bytes, "depth_tokens": 0}
            write(kept, name, f"{repack}.json", json.dumps(data).encode())
    run = phi("recommend", "--json")
    assert run.code == 0
    assert all("into the history" in line for line in run.err.splitlines())
    assert phi("recommend", "--json").err == ""
    for pick in run.json["data"]["picks"]:
        speed = pick["speed"]
        assert 0 < speed["decode_tps_low"] <= speed["decode_tps"] <= speed["decode_tps_high"] < float("inf")
        assert 0 <= speed["ttft_s"] < float("inf")


def test_files_that_are_damaged_do_no_harm(phi: Phi, environment: dict[str, str]) -> None:
    kept = Path(environment["PHI_HOME"])
    garbage = [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"a":' * 20_000, b"9" * 70_000, b"\0" * 100]
    for folder in ("calibrations", "measurements", "tuned"):
        for number, content in enumerate(garbage):
            write(kept, folder, f"{number}.json", content)
        (path_of(kept, folder) / "folder.json").mkdir()
    assert phi("recommend", "--json").code == 0


def path_of(home: Path, folder: str) -> Path:
    """The folder of the store under ``PHI_HOME``, made where it is not there."""
    path = home / "data" / folder
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(home: Path, folder: str, name: str, content: bytes) -> None:
    (path_of(home, folder) / name).write_bytes(content)
