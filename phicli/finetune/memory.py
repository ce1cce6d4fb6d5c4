"""How much memory the process that trains had."""

from __future__ import annotations

import sys


def peak_bytes(device: str) -> int:
    """The most memory that this process had so far, on the GPU if it computes there; 0 where nobody says."""
    if device != "cpu":
        import torch

        return int(torch.cuda.max_memory_reserved())
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
