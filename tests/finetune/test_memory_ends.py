"""Memory that runs out in the middle of a training, because another program took it: what was learned is saved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.finetune, pytest.mark.process]
pytest.importorskip("torch")
pytest.importorskip("peft")

from phicli.finetune import checkpoints  # noqa: E402
from training.tiny_phi.hf_folder import write_folder  # noqa: E402

LESS = 200 << 20
"""Bytes that are taken away: the long examples need about 170 MiB."""


def take_memory(worker: psutil.Process) -> None:
    """Leave the process less memory than it has had."""
    import resource

    fields = dict(line.split(":") for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines())
    for limit, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = int(fields[name].split()[0]) * 1024 - LESS
        resource.prlimit(worker.pid, limit, (most, most))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit other processes")
@pytest.mark.timeout(1800)
def test_a_smaller_batch_is_proposed_and_continues(tmp_path: Path, environment: dict[str, str]) -> None:
    write_folder(tmp_path / "tiny-phi")
    long = "The capital of France is Paris. " * 28
    turns = ([{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": long if n % 2 else "No."}]
             for n in range(48))  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"messages": one}) + "\n" for one in turns))
    command = [
        sys.executable, "-m", "phicli", "finetune", str(tmp_path / "tiny-phi"), str(tmp_path / "train.jsonl"), "--out",
        str(tmp_path / "run"), "--threads", "1", "--epochs", "2", "--batch-size", "16", "--save-every", "600",
    ]  # fmt: skip
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if line.startswith("step 1 of 6"))
        take_memory(psutil.Process(running.pid).children()[-1])
        rest = running.stderr.read()
    assert running.returncode == 5, rest
    assert "the memory ran out while training after step " in rest
    assert "--micro-batch 8" in rest
    found = checkpoints.latest(tmp_path / "run" / "checkpoints")
    assert found is not None
    assert 0 < found.step < 6
    again = subprocess.run(
        [*command, "--micro-batch", "8"], env=environment, capture_output=True, text=True, check=True
    )
    assert f"continuing after step {found.step} of 6" in again.stderr
