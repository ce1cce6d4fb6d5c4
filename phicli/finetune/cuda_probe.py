"""``python -m phicli.finetune.cuda_probe``: prints what torch says of CUDA, as JSON. Loading torch takes seconds."""

from __future__ import annotations

import json
import sys

import torch


def found() -> dict[str, object]:
    """Whether there is a GPU, its name and its memory in bytes, and what torch was built for."""
    facts: dict[str, object] = {"torch": str(torch.__version__), "built_for": torch.version.cuda or torch.version.hip}
    if not torch.cuda.is_available():
        return {**facts, "available": False}
    free, total = torch.cuda.mem_get_info()
    return {**facts, "available": True, "name": torch.cuda.get_device_name(), "free_bytes": free, "total_bytes": total}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found()) + "\n")
