"""The trial of compiled kernels: the engine runs with them and with the kernels of the wheel, and both must agree.

tiny-phi must give the log-probabilities that transformers computed (``reference.json``, which ``.ci/generate.py`` makes
from the reference of the tests). A file of random weights with the dimensions of Phi then shows that the kernels for
quantized weights agree with those of the wheel, and how fast both are: tokens per second of CPU time, in turns, so that
other programs disturb both alike.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.engine.process import WorkerProcess
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings, Sampling
from phicli.errors import EngineError
from phicli.gguf_file.synthetic import PHI_4_MINI, write_synthetic
from phicli.kernels.probing import RejectedError
from phicli.kernels.watch import Watch

TOLERANCE: Final = 0.05
"""The largest allowed difference of a log-probability: kernels add numbers in different orders."""

REFERENCE: Final = Path(__file__).with_name("reference.json")
_TINY_PHI: Final = Path(__file__).parents[1] / "data" / "tiny-phi.gguf"
_SHAPE: Final = replace(PHI_4_MINI, vocabulary=4096)
_LAYERS: Final = 2
_CONTEXT_TOKENS: Final = 512
_PROMPT_TOKENS: Final = 256
_GENERATED_TOKENS: Final = 64
_ROUNDS: Final = 4
_LIKELIEST: Final = 40
_FIRST_TOKEN: Final = 1000
"""Of the random prompts: tokens of ordinary text."""
_LIMIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """The speed with the compiled kernels, divided by that with the kernels of the wheel."""

    prompt_ratio: float
    decode_ratio: float


class _Engine:
    """An engine with a given module, or with the kernels of the wheel where that is None."""

    def __init__(self, model: Path, module: Path | None, *, context_tokens: int, cores: int) -> None:
        settings = LoadSettings(model, context_tokens, EngineSettings(threads=cores, gpu_layers=0))
        self._process = WorkerProcess(kernels=module)
        self._process.load(settings)
        self._engine = LlamaServerEngine(settings, process=self._process)

    def __enter__(self) -> _Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def close(self) -> None:
        """End the process, even if it does not answer."""
        self._engine.close()

    def wait_ready(self, variant: str | None) -> None:
        """Wait until the model is loaded; the engine must compute with ``variant``.

        Raises:
            EngineError: it does not.
        """
        self._engine.wait_ready()
        if self._process.kernels != variant:
            raise EngineError(self._process.kernels_failed or f"the engine used the kernels {self._process.kernels}")

    def log_probabilities(self, prompt: Sequence[int], token_id: int) -> dict[int, float]:
        """The log-probabilities of the likeliest tokens after ``prompt``, and of ``token_id``, by id."""
        scored = self._engine.score(prompt, token_id, likeliest=_LIKELIEST)
        return {token_id: scored.log_probability, **scored.likeliest}

    def cpu_seconds(self, prompt: Sequence[int], tokens: int) -> float:
        """The CPU time for ``tokens`` tokens after ``prompt``; a prompt that was processed before costs nothing."""
        before = self._cpu_s()
        for _ in self._engine.generate(prompt, Sampling(max_tokens=tokens, ignore_eos=True)):
            pass
        return max(self._cpu_s() - before, 1e-6)

    def _cpu_s(self) -> float:
        import psutil

        try:
            times = psutil.Process(self._engine.pid).cpu_times()
        except psutil.Error:
            raise EngineError("the engine's process ended", "") from None
        return float(times.user + times.system)


def run_trial(module: Path | None, variant: str | None, folder: Path, *, cores: int, watch: Watch) -> Trial:
    """Compare the kernels in ``module`` with the reference and with those of the wheel.

    Args:
        module: the module, which can be loaded here (:func:`phicli.kernels.probing.check_module`); None compares the
            kernels of the wheel with themselves.
        variant: ggml's name of it; None for those of the wheel.
        folder: for the file of random weights, 130 MB.
        cores: threads of the engine.
        watch: gets the steps.

    Raises:
        EngineError: the engine fails with the kernels, or they compute something else.
        DoesNotFitError: the disk is full.
    """
    watch.phase("testing the kernels with tiny-phi")
    check_tiny_phi(module, variant, json.loads(REFERENCE.read_text(encoding="utf-8"))["prompts"], cores=cores)
    watch.phase("measuring the speed of the kernels")
    model = folder / "random.gguf"
    write_synthetic(model, _SHAPE, layers=_LAYERS)
    with (
        _engine(model, None, None, _CONTEXT_TOKENS, cores) as wheel,
        _engine(model, module, variant, _CONTEXT_TOKENS, cores) as native,
    ):
        _compare_with_wheel(wheel, native)
        return _measure(wheel, native, watch)


def check_tiny_phi(module: Path | None, variant: str | None, prompts: Sequence[dict[str, Any]], *, cores: int) -> None:
    """Compare what tiny-phi computes with the kernels in ``module`` with the reference.

    Args:
        module: as for :func:`run_trial`.
        variant: as for :func:`run_trial`.
        prompts: the reference: ``context_tokens``, ``prompt`` (token ids) and ``log_probabilities``, pairs of the
            likeliest next tokens and their numbers.
        cores: threads of the engine.

    Raises:
        EngineError: they differ, or the engine fails.
    """
    for context_tokens in sorted({prompt["context_tokens"] for prompt in prompts}):
        with _engine(_TINY_PHI, module, variant, context_tokens, cores) as engine:
            for prompt in prompts:
                if prompt["context_tokens"] == context_tokens:
                    _compare_with_reference(engine, prompt)


@contextlib.contextmanager
def _engine(
    model: Path, module: Path | None, variant: str | None, context_tokens: int, cores: int
) -> Iterator[_Engine]:
    """An engine that is ready. If it fails or takes too long, the trial has failed.

    Raises:
        EngineError: the trial failed.
    """
    late = threading.Event()
    with _Engine(model, module, context_tokens=context_tokens, cores=cores) as engine:

        def end_late() -> None:
            late.set()
            engine.close()

        timer = threading.Timer(_LIMIT_S, end_late)
        timer.daemon = True
        timer.start()
        try:
            engine.wait_ready(variant)
            yield engine
        except RejectedError:
            raise
        except EngineError as error:
            raise RejectedError(f"no answer within {_LIMIT_S:.0f} s" if late.is_set() else error.message) from error
        finally:
            timer.cancel()


def _compare_with_reference(engine: _Engine, prompt: dict[str, Any]) -> None:
    expected = {int(token): float(number) for token, number in prompt["log_probabilities"]}
    computed = engine.log_probabilities(prompt["prompt"], next(iter(expected)))
    _check(expected, computed, f"tiny-phi's answer to {prompt['id']}")


def _compare_with_wheel(wheel: _Engine, native: _Engine) -> None:
    prompt = _prompt(0)
    token_id = prompt[0]
    expected = wheel.log_probabilities(prompt, token_id)
    _check({token_id: expected[token_id]}, native.log_probabilities(prompt, token_id), "an answer in Q4_K_M")


def _check(expected: dict[int, float], computed: dict[int, float], what: str) -> None:
    for token_id, number in expected.items():
        difference = abs(computed.get(token_id, float("-inf")) - number)
        if not difference <= TOLERANCE:  # a number that is none is a difference too
            raise EngineError(
                f"{what} differs by {difference:.2g} in a log-probability, but at most {TOLERANCE} is allowed"
            )


def _measure(wheel: _Engine, native: _Engine, watch: Watch) -> Trial:
    prompts = {wheel: 0.0, native: 0.0}
    generations = {wheel: 0.0, native: 0.0}
    for number in range(_ROUNDS):
        watch.progress(number, _ROUNDS)
        prompt = _prompt(number + 1)
        pair = (wheel, native) if number % 2 else (native, wheel)
        for engine in pair:
            prompts[engine] += engine.cpu_seconds(prompt, 1)
        for engine in pair:
            generations[engine] += engine.cpu_seconds(prompt, _GENERATED_TOKENS)
    watch.progress(_ROUNDS, _ROUNDS)
    ratios = (seconds[wheel] / seconds[native] for seconds in (prompts, generations))
    return Trial(*(round(ratio, 3) for ratio in ratios))


def _prompt(number: int) -> list[int]:
    """Random tokens. No two prompts begin with the same tokens, so the engine cannot use its cache."""
    source = random.Random(number)  # noqa: S311 (not a secret)
    rest = [source.randrange(_FIRST_TOKEN, _SHAPE.vocabulary) for _ in range(_PROMPT_TOKENS - 1)]
    return [_FIRST_TOKEN + number, *rest]
