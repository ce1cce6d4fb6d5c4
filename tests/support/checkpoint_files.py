"""The files of a checkpoint, complete and with nothing in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STATE: dict[str, Any] = {"losses": [], "validations": [], "worse": 0}


def write_no_tensors(path: Path) -> None:
    """A safetensors file without tensors."""
    path.write_bytes((2).to_bytes(8, "little") + b"{}")


def write_no_adapter(folder: Path) -> None:
    """An adapter as PEFT names its files."""
    folder.mkdir(exist_ok=True)
    write_no_tensors(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")


def write_checkpoint(trial: Path) -> None:
    """What a run writes into a checkpoint."""
    write_no_adapter(trial / "adapter")
    write_no_tensors(trial / "optimizer.safetensors")
