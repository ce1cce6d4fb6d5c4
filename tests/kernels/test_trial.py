"""The trial: what the engine computes is compared with the reference, and with the kernels of the wheel."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from phicli.kernels.probing import RejectedError
from phicli.kernels.trial import REFERENCE, check_tiny_phi, run_trial
from tests.support.building import Watcher

pytestmark = pytest.mark.process

PROMPTS: list[dict[str, Any]] = json.loads(REFERENCE.read_text(encoding="utf-8"))["prompts"]


def test_the_reference_lies_on_both_sides_of_the_original_context() -> None:
    assert {prompt["context_tokens"] for prompt in PROMPTS} == {256, 1024}
    assert all(len(prompt["log_probabilities"]) == 5 for prompt in PROMPTS)


def test_the_kernels_of_the_wheel_pass(tmp_path: Path) -> None:
    watcher = Watcher()
    trial = run_trial(None, None, tmp_path, cores=2, watch=watcher)
    assert trial.prompt_ratio > 0
    assert trial.decode_ratio > 0
    assert watcher.steps[-1] == (4, 4)


def test_kernels_that_compute_something_else_are_rejected() -> None:
    wrong = copy.deepcopy(PROMPTS[0])
    wrong["log_probabilities"][0][1] -= 0.06
    with pytest.raises(
        RejectedError, match=r"differs by 0\.06 in a log-probability, but at most 0\.05 is allowed"
    ) as caught:
        check_tiny_phi(None, None, [wrong], cores=1)
    assert caught.value.message.count("failed their trial") == 1


def test_a_module_that_the_engine_does_not_load_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "libggml-cpu-zen4.so").write_text("text")
    with pytest.raises(RejectedError, match="cannot be opened"):
        check_tiny_phi(tmp_path / "libggml-cpu-zen4.so", "zen4", PROMPTS[:1], cores=1)
