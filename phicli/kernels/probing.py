"""Asks the installed engine, and a module of kernels, what they were compiled for: in a separate process."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.engine.engine_process import WORKER
from phicli.errors import EngineError, install_hint
from phicli.hardware.kernel_variants import Variant
from phicli.kernels.children import run

_SCRIPT: Final = Path(__file__).with_name("probe.py")
LIMIT_S: Final = 60.0


class RejectedError(EngineError):
    """Compiled kernels failed their trial and are not saved."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the compiled kernels failed their trial: {why}; nothing was saved",
            "phi uses the kernels of the wheel; to try another compiler: CXX=clang++ phi engine build",
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What kernels were compiled for: their version of ggml, and instruction sets in llama.cpp's words."""

    ggml_version: str
    features: tuple[str, ...]


def facts_of_engine() -> Facts:
    """The facts about the kernels of the installed engine.

    Raises:
        EngineError: the engine does not report them.
    """
    answer, how = _ask()
    if answer is None or "error" in answer:
        why = how if answer is None else answer["error"]
        raise EngineError(f"the installed engine does not report its kernels: {why}", install_hint())
    return _facts(answer)


def check_module(path: Path, variant: Variant, engine: Facts, *, limit_s: float = LIMIT_S) -> None:
    """Load the module at ``path`` into the engine, in a process that may crash, and compare.

    Args:
        path: the module.
        variant: what it was compiled as.
        engine: the facts of the installed engine.
        limit_s: seconds after which the process is ended.

    Raises:
        RejectedError: it cannot be loaded, cannot run here, or is not what it should be.
    """
    answer, how = _ask(WORKER, path, limit_s=limit_s)
    if answer is None:
        raise RejectedError(f"loading them {how}")
    if "error" in answer:
        raise RejectedError(f"the engine cannot use them: {answer['error']}")
    facts = _facts(answer)
    if facts.ggml_version != engine.ggml_version:
        raise RejectedError(f"they belong to ggml {facts.ggml_version}, but the engine has {engine.ggml_version}")
    if missing := variant.missing(facts.features):
        raise RejectedError(f"they do not use {', '.join(missing)}")


def _ask(*arguments: Path, limit_s: float = LIMIT_S) -> tuple[dict[str, Any] | None, str]:
    """The answer of the script, None where it did not give one, and how it ended."""
    ended = run([sys.executable, "-P", _SCRIPT, *arguments], limit_s=limit_s, environment={"GGML_NO_BACKTRACE": "1"})
    answers = [line for line in ended.lines if line.startswith("{")]
    try:
        answer = json.loads(answers[-1]) if answers and not ended.code else None
    except ValueError:
        answer = None
    return (answer, "") if isinstance(answer, dict) else (None, ended.how)


def _facts(answer: dict[str, Any]) -> Facts:
    return Facts(str(answer["version"]), tuple(str(name) for name in answer["features"]))
