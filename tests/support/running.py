"""Runs ``phi`` as people do: as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernels import save_in
from tests.support.prepared import Prepared


class Run:
    """What a finished ``phi`` left behind."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()
        assert "Traceback" not in self.err, self.err

    @property
    def json(self) -> Any:
        """The envelope on standard output, which must be one object and nothing else."""
        return json.loads(self.out)


Phi = Callable[..., Run]


@pytest.fixture
def environment(tmp_path: Path, starts_process: None) -> dict[str, str]:
    """An environment of its own: no state, no cache, no network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHI_", "HF_", "XDG_"))}
    save_in(tmp_path / "phi")
    return kept | {"PHI_HOME": str(tmp_path / "phi"), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def phi(environment: dict[str, str], prepared: Prepared | None) -> Phi:
    """Call with arguments and, as ``stdin``, the bytes to pipe in (None: the null device)."""

    def run(*arguments: str, stdin: bytes | None = None, **more: str) -> Run:
        if prepared is not None and prepared.suits(environment | more, stdin):
            return Run(prepared.run(arguments, environment | more, stdin, timeout_s=120))
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return Run(
            subprocess.run(
                [sys.executable, "-m", "phicli", *arguments],
                env=environment | more,
                capture_output=True,
                timeout=120,
                check=False,
                **given,
            )
        )

    return run
