"""The graphics processors that the engine can use, for a load: asked for only where there is a sign of any."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.hardware.cards import may_have_gpu
from phicli.hardware.cgroup import ROOT
from phicli.hardware.commands import SYSTEM, Commands

if TYPE_CHECKING:
    from phicli.hardware.engine_answer import EngineAnswer
    from phicli.hardware.types import Gpu


def engine_gpus(
    root: Path = ROOT,
    platform: str = sys.platform,
    *,
    run: Commands = SYSTEM,
    engine_devices: Callable[[], EngineAnswer] | None = None,
) -> tuple[Gpu, ...]:
    """Those with their memory as the engine tells it; asking takes about 0.3 s, and nothing without a sign of a GPU.

    Args:
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
        platform: ``sys.platform`` of the machine.
        run: starts programs.
        engine_devices: asks the engine; in a child process when None.
    """
    if not may_have_gpu(root, platform, run):
        return ()
    from phicli.hardware.cards import Cards
    from phicli.hardware.engine_answer import ask_engine
    from phicli.hardware.gpu import reconcile

    answer = engine_devices() if engine_devices else ask_engine(run)
    return tuple(gpu for gpu in reconcile(answer, Cards()).gpus if gpu.usable)
