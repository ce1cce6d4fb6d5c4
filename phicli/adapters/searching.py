"""Finds the adapter of PEFT in a folder that has it further down, as a training run or a download does."""

from __future__ import annotations

import os
import re
import shlex
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Final

from phicli.adapters.peft import is_peft_folder
from phicli.catalog.names import is_repo_name
from phicli.errors import NotFoundError, UsageError
from phicli.gguf_file.names import is_gguf_name
from phicli.hub.peft_files import CONFIG, WEIGHTS
from phicli.units import listed

_DEEPEST: Final = 3
_MOST_FOLDERS: Final = 2_000
_CHECKPOINT: Final = re.compile(r"checkpoint-?(\d+)")
_MODEL_SIGNS: Final = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")


def adapter_below(folder: Path, command: str) -> Path:
    """The only folder below ``folder`` with an adapter of PEFT.

    Args:
        folder: one that is not such a folder itself.
        command: what is typed before the name of the folder that is meant, for the hint.

    Raises:
        UsageError: there are several.
        NotFoundError: there is none; says what the folder is, where that is known.
    """
    found = sorted(_below(folder), key=_rank)
    if len(found) == 1:
        return found[0]
    if found:
        names = [str(one.relative_to(folder)) for one in found]
        raise UsageError(
            f"{folder} has {len(found)} adapters in its folders: {listed(names, 6)}",
            f"name one of them: {command} {shlex.quote(str(found[0]))}",
        )
    raise _none_in(folder)


def absent(typed: Path) -> NotFoundError:
    """The error for a path with nothing there: a name of the hub is downloaded, a name that comes close is meant."""
    text = typed.as_posix()
    address = text.startswith(("https:/", "http:/"))
    if address or is_repo_name(text):
        wanted = text.partition(":/")[2].lstrip("/").partition("/")[2] if address else text
        return NotFoundError(
            f"{text.replace(':/', '://', 1) if address else text} is not on this machine: no such file or folder",
            f"download it from the hub: phi pull {wanted}",
        )
    try:
        names = [one.name for one in typed.parent.iterdir() if one.is_dir() or is_gguf_name(one.name)]
    except OSError:
        return NotFoundError(f"{typed} does not exist; neither does its folder", "check the name")
    close = get_close_matches(typed.name, names, n=1)
    hint = f"did you mean {typed.with_name(close[0])}?" if close else "name the folder that PEFT saved, or a GGUF file"
    return NotFoundError(f"{typed} does not exist", hint)


def _none_in(folder: Path) -> NotFoundError:
    files = {one.name for one in folder.iterdir()} if os.access(folder, os.R_OK | os.X_OK) else set()
    if "config.json" in files and not files.isdisjoint(_MODEL_SIGNS):
        return NotFoundError(
            f"{folder} is a model as transformers saves it, not an adapter",
            "name the folder of the adapter (PeftModel.save_pretrained); a model is converted with llama.cpp's "
            "convert_hf_to_gguf.py",
        )
    if WEIGHTS in files:
        return NotFoundError(
            f"{folder} has no {CONFIG}, which has the scale of the adapter", "copy the whole folder that PEFT saved"
        )
    return NotFoundError(
        f"{folder} is a folder without an adapter: {CONFIG} is missing",
        "name the folder that PEFT saved (model.save_pretrained), or a GGUF file",
    )


def _below(folder: Path) -> list[Path]:
    found = []
    for at, names, _ in islice(os.walk(folder), _MOST_FOLDERS):
        path = Path(at)
        depth = len(path.relative_to(folder).parts)
        if depth and is_peft_folder(path):
            found.append(path)
        names[:] = [] if depth >= _DEEPEST else sorted(name for name in names if not name.startswith("."))
    return found


def _rank(path: Path) -> tuple[bool, int, int, str]:
    """What is finished comes first, then the last checkpoint."""
    steps = [int(match[1]) for part in path.parts if (match := _CHECKPOINT.fullmatch(part))]
    return bool(steps), len(path.parts), -max(steps, default=0), str(path)
