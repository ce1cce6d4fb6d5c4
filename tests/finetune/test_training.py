"""The training itself, with the extra: interrupted runs end like others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.finetune, pytest.mark.process]
pytest.importorskip("torch")
pytest.importorskip("peft")

from training.tiny_phi.hf_folder import write_folder  # noqa: E402

OPTIONS = ("--threads", "1", "--batch-size", "2", "--learning-rate", "1e-3", "--save-every", "1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_folder(tmp_path / "tiny-phi")
    pairs = [(f"Where is key {n}?", f"Key {n} is in room {n * 7}.") for n in range(12)]
    lines = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in pairs]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return tmp_path / "tiny-phi"


def command(model: Path, run: str, *options: str) -> list[str]:
    train, out = str(model.parent / "train.jsonl"), str(model.parent / run)
    return [sys.executable, "-m", "phicli", "finetune", str(model), train, "--out", out, *OPTIONS, *options]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_continues_to_the_same_adapter(
    model: Path, environment: dict[str, str], how: signal.Signals
) -> None:
    epochs = ("--epochs", "20")
    whole = subprocess.run(command(model, "whole", *epochs, "--json"), env=environment, capture_output=True, check=True)
    broken = subprocess.Popen(command(model, "broken", *epochs), env=environment, stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    checkpoints = model.parent / "broken" / "checkpoints"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(broken.pid, how)
    assert broken.wait(60) in (130, -9, 143)
    again = subprocess.run(
        command(model, "broken", *epochs, "--json"), env=environment, capture_output=True, check=True
    )
    losses = [json.loads(done.stdout)["data"]["loss"] for done in (whole, again)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_weights_that_lack_a_tensor_are_not_filled_with_random_numbers(
    model: Path, environment: dict[str, str]
) -> None:
    from safetensors.torch import load_file, save_file

    weights = model / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.0.mlp.down_proj.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    done = subprocess.run(command(model, "run"), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 8
    assert "the weights lack 1 tensor of the model" in " ".join(done.stderr.split())
    assert not (model.parent / "run" / "adapter").exists()


def test_layers_that_the_config_does_not_know_are_not_left_out(model: Path, environment: dict[str, str]) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2, "layer_types": None}))
    done = subprocess.run(command(model, "run"), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 8
    assert "config.json does not know" in " ".join(done.stderr.split())


def test_a_name_that_is_taken_is_refused_before_the_training(model: Path, environment: dict[str, str]) -> None:
    first = subprocess.run(command(model, "one", "--as", "keys"), env=environment, capture_output=True, check=False)
    assert first.returncode == 0
    for name, said in (("keys", "already used"), ("a/b", "is not a valid name")):
        done = subprocess.run(
            command(model, "two", "--as", name), env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, said in " ".join(done.stderr.split())) == (2, True)
        assert not (model.parent / "two").exists()


@pytest.mark.parametrize(
    "option", [("--epochs", "inf"), ("--learning-rate", "inf"), ("--learning-rate", "nan"), ("--seed", str(2**31))]
)
def test_numbers_beyond_all_limits_are_refused(
    model: Path, environment: dict[str, str], option: tuple[str, str]
) -> None:
    done = subprocess.run(command(model, "run", *option), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{option[0]} {option[1]} is not between" in " ".join(done.stderr.split())


def test_a_run_that_takes_too_long_does_not_start(model: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command(model, "long", "--epochs", "5000", "--max-time", "0.01"), env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert "more than --max-time" in done.stderr


def test_the_held_out_questions_are_asked_before_and_after(model: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command(model, "asked", "--split", "0.25", "--epochs", "1", "--as", "keys", "--json"), env=environment,
        capture_output=True, check=True,
    )  # fmt: skip
    data = json.loads(done.stdout)["data"]
    assert data["not_evaluated"] is None
    before, after = data["evaluation"]["evaluations"]
    assert (before["asked"], after["asked"], before["adapters"]) == (3, 3, [])
    assert [one["name"] for one in after["adapters"]] == ["keys"]
    saved = json.loads((model.parent / "asked" / "evaluation.json").read_text(encoding="utf-8"))
    assert saved["evaluations"][1]["set"] == str(model.parent / "asked" / "validation.jsonl")
    again = subprocess.run(
        command(model, "asked", "--split", "0.25", "--epochs", "1", "--as", "keys", "--no-eval", "--json"),
        env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(again.stdout)["data"]["evaluation"] is None
    wrong = subprocess.run(
        command(model, "other", "--eval-model", "tiny-phi"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (wrong.returncode, "requires held-out questions" in wrong.stderr) == (2, True)
