"""``python -m training.tiny_phi.learned_adapter``: an adapter with which tiny-phi knows three new facts, for the tests.

``phi finetune`` trains it, on what ``benchmarks.finetune_facts`` writes; it is kept as PEFT saves it, in BF16.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from safetensors.torch import load_file, save_file

from benchmarks.finetune_facts import write_small
from training.tiny_phi.hf_folder import write_folder

OUTPUT: Final = Path(__file__).resolve().parents[2] / "tests" / "data" / "tiny_phi_learned"
OPTIONS: Final = ("--rank", "2", "--alpha", "4", "--learning-rate", "8e-3", "--epochs", "40", "--batch-size", "4")


def main() -> None:
    """Write the folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(folder / "tiny-phi")
        write_small(folder)
        base, train, run = (str(folder / one) for one in ("tiny-phi", "train.jsonl", "run"))
        command = ["finetune", base, train, "--out", run, "--as", "learned-for-tests", *OPTIONS]
        subprocess.run([sys.executable, "-m", "phicli", *command], check=True)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        weights = load_file(folder / "run" / "adapter" / "adapter_model.safetensors")
        save_file({key: one.bfloat16() for key, one in weights.items()}, OUTPUT / "adapter_model.safetensors")
        shutil.copyfile(folder / "run" / "adapter" / "adapter_config.json", OUTPUT / "adapter_config.json")
    config = OUTPUT / "adapter_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["target_modules"].sort()  # PEFT writes a set
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
