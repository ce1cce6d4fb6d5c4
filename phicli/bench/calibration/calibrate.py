"""The engine timed on a few layers of a model's true shape, before the model is downloaded.

Three files with random weights: few layers, more layers, and few layers with the true vocabulary, where the first two
have a small one. :mod:`phicli.bench.calibration.layer_times` says what follows from them.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from phicli.bench.calibration.layer_times import Layer, calibration_of, time_layers
from phicli.bench.calibration.timing import Setting, Start, timed_engine
from phicli.bench.launch import check_build
from phicli.catalog.types import Variant
from phicli.engine.starting import build_of
from phicli.errors import DoesNotFitError, UsageError
from phicli.fit.calibration import Calibration, Conditions, shape_key
from phicli.fit.shape import shape_of
from phicli.fit.types import Candidate
from phicli.fit.work import work_of
from phicli.gguf_file.header import read_header
from phicli.gguf_file.synthetic import SyntheticShape, write_synthetic
from phicli.hardware.types import Cpu
from phicli.paths import cache_dir
from phicli.units import format_about

QUANTS: Final = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
"""Quantizations that a random-weight file can be written in."""

_FEWEST_LAYERS: Final = 2
_TIMES_CACHE: Final = 2
_MOST_TIMES: Final = 4
_LARGE_BYTES: Final = 512 << 20
_SMALL_VOCABULARY: Final = 1024
_CONTEXT_TOKENS: Final = 2048
_STALE_S: Final = 24 * 3600
_FOLDER: Final = "phi-calibration-"
_SPARE_BYTES: Final = 256 << 20


def can_calibrate(variant: Variant, quant: str) -> bool:
    """Whether random-weight files of this architecture and quantization can be written."""
    dimensions = variant.dimensions
    return (
        quant in QUANTS and variant.architecture == "phi3" and dimensions is not None and bool(dimensions.feed_forward)
    )


def calibrate(
    candidate: Candidate,
    cpu: Cpu,
    setting: Setting,
    *,
    folder: Path | None = None,
    repeats: int = 11,
    start: Start = timed_engine,
    on_step: Callable[[str], None] | None = None,
) -> Calibration:
    """Time the engine on layers of ``candidate``.

    Nothing is kept: :func:`~phicli.records.calibration_files.save_calibration` does that.

    Args:
        candidate: the model and quantization.
        cpu: the processor, for the conditions.
        setting: how the engine is set.
        folder: where a temporary folder is made for the files, about 1.2 GB for a model of 4 billion parameters; the
            cache folder when None. It is removed at the end, also after an error or Ctrl-C.
        repeats: turns of the engines, more where they scatter; medians are taken.
        start: starts an engine on a file; tests give a scripted one.
        on_step: told in words what is being done.

    Raises:
        UsageError: no such file can be written (:func:`can_calibrate`), or not there, or a package is missing.
        DoesNotFitError: the disk is too small.
        EngineError: the engine failed.
        BuildChangedError: native kernels failed in the meantime.
    """
    if not can_calibrate(candidate.variant, candidate.quant):
        message = f"calibration does not support {candidate.variant.id} in {candidate.quant}"
        raise UsageError(message, f"choose a dense model of Phi-3 or later, in {', '.join(QUANTS)}")
    tell = on_step or (lambda _: None)
    layers, build = layers_to_time(candidate, cpu), build_of()
    with _files(candidate, layers, folder or cache_dir(), tell) as paths, contextlib.ExitStack() as stack:
        tell("loading")
        few, many, head = (stack.enter_context(start(path, setting, _CONTEXT_TOKENS)) for path in paths)
        tell("timing")
        times = time_layers(few, many, head, repeats)
        check_build(build_of(), build)
        headers = [shape_of(read_header(path)) for path in paths]
    layer_bytes = (headers[1].weights_bytes - headers[0].weights_bytes) / (layers[1] - layers[0])
    work = work_of(candidate)
    conditions = Conditions(cpu.name, build, setting.engine.threads, setting.engine.repack, setting.device)
    return calibration_of(
        times,
        layers=layers,
        conditions=conditions,
        quant=candidate.quant,
        shape=shape_key(candidate.shape),
        layer=Layer(layer_bytes, work.layer_parameters / work.layers, work.attention_flops_per_token / work.layers),
    )


def layers_to_time(candidate: Candidate, cpu: Cpu) -> tuple[int, int]:
    """How many layers the files get: 2 or more, beyond the processor's cache, and 2 to 4 times as many.

    The more the two differ the less noise matters; small layers can be many at no cost.
    """
    work = work_of(candidate)
    layer_bytes = max(work.layer_bytes / max(work.layers, 1), 1.0)
    in_cache = _TIMES_CACHE * (cpu.last_level_cache_bytes or 0) / layer_bytes
    few = max(_FEWEST_LAYERS, min(math.ceil(in_cache), work.layers // 2))
    return few, few * max(2, min(_MOST_TIMES, int(_LARGE_BYTES // (few * layer_bytes))))


@contextlib.contextmanager
def _files(
    candidate: Candidate, layers: tuple[int, int], folder: Path, tell: Callable[[str], None]
) -> Iterator[tuple[Path, ...]]:
    """The random-weight files, in a folder that is gone afterwards."""
    shape = synthetic_shape(candidate)
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_stale(folder)
            _check_disk(candidate, layers, folder)
            made = tempfile.TemporaryDirectory(prefix=_FOLDER, dir=folder, ignore_cleanup_errors=True)
        except OSError as error:
            message = f"calibration cannot write its files to {folder}: {error.strerror}"
            raise UsageError(message, "set PHI_HOME to a folder that you can write to") from None
        work = Path(stack.enter_context(made))
        small = replace(shape, vocabulary=min(_SMALL_VOCABULARY, shape.vocabulary))
        paths = []
        for number, (count, written) in enumerate(((layers[0], small), (layers[1], small), (layers[0], shape))):
            tell(f"writing {count} layers")
            paths.append(work / f"{number}.gguf")
            write_synthetic(paths[-1], written, quant=candidate.quant, layers=count, seed=number)
        yield tuple(paths)


def synthetic_shape(candidate: Candidate) -> SyntheticShape:
    """The dimensions to write. All of a head is rotated and LongRoPE is left out: neither costs time.

    The name must not be the model's: llama.cpp treats the vocabulary of what is called Phi-3 in its own way.
    """
    dimensions = candidate.variant.dimensions
    assert dimensions is not None  # noqa: S101 (can_calibrate has asked)
    return SyntheticShape(
        name="layers for calibration, random weights",
        layers=dimensions.layers,
        embedding=dimensions.hidden,
        feed_forward=dimensions.feed_forward or 0,
        heads=dimensions.heads,
        kv_heads=dimensions.kv_heads,
        head_length=dimensions.head_size,
        rope_dimensions=dimensions.head_size,
        vocabulary=dimensions.vocabulary,
        tied=dimensions.tied,
        context_tokens=_CONTEXT_TOKENS,
    )


def _check_disk(candidate: Candidate, layers: tuple[int, int], folder: Path) -> None:
    """Refuse before writing what would not fit; the estimate is generous.

    Raises:
        DoesNotFitError: the disk is too small.
    """
    shape = candidate.shape
    matrices = 2 * 2 * shape.vocabulary * shape.embedding
    needed = shape.weights_bytes * (2 * layers[0] + layers[1]) // max(shape.layers, 1) + matrices + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        asked, there = format_about(needed), format_about(free)
        message = f"calibration needs {asked} for temporary files, but {folder} has only {there} free"
        raise DoesNotFitError(message, "free some space, or leave out --calibrate: phi recommend")


def _remove_stale(folder: Path) -> None:
    """Remove what a run that was killed left behind a day ago or earlier."""
    for left in folder.glob(f"{_FOLDER}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left, ignore_errors=True)
