"""Compiles one variant of the kernels, and saves the log of a failure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from phicli.engine.log_file import open_log
from phicli.errors import EngineError, PhiError, disk_full
from phicli.hardware.kernel_variants import Variant
from phicli.kernels.children import Ended, run
from phicli.kernels.sources import Sources
from phicli.kernels.tools import Tools, compiler_variables
from phicli.kernels.watch import Watch
from phicli.paths import log_dir

_PROJECT: Final = Path(__file__).parent
"""Where ``CMakeLists.txt`` is."""

_OPTIONS: Final = (
    "CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=ON", "CMAKE_SKIP_RPATH=ON", "GGML_BACKEND_DL=ON",
    "GGML_CPU_ALL_VARIANTS=ON", "GGML_NATIVE=OFF", "GGML_LLAMAFILE=ON", "GGML_CCACHE=OFF", "GGML_METAL=OFF",
    "GGML_BLAS=OFF",
)  # fmt: skip
"""Those of the wheel, and what makes a module of the kernels. ``GGML_LLAMAFILE`` is on wherever llama.cpp is built."""

_STEP: Final = re.compile(r"\[(\d+)/(\d+)\] ")
_ERROR: Final = re.compile(r"\berror\b[: ]|CMake Error")
_SHOWN_LINES: Final = 15


def compile_module(sources: Sources, variant: Variant, tools: Tools, folder: Path, *, jobs: int, watch: Watch) -> Path:
    """Compile ``variant`` below ``folder`` and return the module.

    Args:
        sources: ggml's.
        variant: what to compile.
        tools: cmake and ninja.
        folder: for everything that is written.
        jobs: programs that run at a time.
        watch: gets the steps and, after a failure, the last lines of the log.

    Raises:
        EngineError: it cannot be compiled; the hint names the log.
        DoesNotFitError: the disk is full.
    """
    build = folder / "build"
    options = (*_OPTIONS, f"GGML_FOLDER={sources.folder.as_posix()}", f"VARIANT_TARGET={variant.target}")
    definitions = [f"-D{option}" for option in (*options, f"CMAKE_MAKE_PROGRAM={tools.ninja}")]
    watch.phase("preparing the build")
    _step("cmake", [tools.cmake, "-S", _PROJECT, "-B", build, "-G", "Ninja", *definitions], folder, watch)
    watch.phase(f"compiling the kernels {variant.name}")
    _step("the compiler", [tools.ninja, "-C", build, "-j", str(jobs), variant.target], folder, watch)
    module = next((build / "bin").glob(f"*{variant.target}.*"), None)
    if module is None:
        raise EngineError("the build made no kernel module", "use another compiler: CXX=clang++ phi engine build")
    return module


def _step(what: str, command: Sequence[str | Path], folder: Path, watch: Watch) -> None:
    """Run ``command``; if it fails, save what it printed as a log.

    Raises:
        EngineError, DoesNotFitError: as :func:`compile_module`.
    """

    def on_line(line: str) -> None:
        if match := _STEP.match(line):
            watch.progress(int(match[1]), int(match[2]))

    variables = {"NINJA_STATUS": "[%f/%t] ", "LC_ALL": "C", "TMPDIR": str(folder), **compiler_variables()}
    ended = run(command, on_line=on_line, environment=variables)
    if ended.code:
        raise _failure(ended, what, watch)


def _failure(ended: Ended, what: str, watch: Watch) -> PhiError:
    if any("No space left on device" in line for line in ended.lines):
        hint = "free some space, or set TMPDIR to a folder on another disk, and run the command again"
        return disk_full(after=": the kernels were not compiled", hint=hint)
    path, log = open_log(log_dir())
    with log:
        log.write(("\n".join(ended.lines) + "\n").encode())
    end = [line for line in ended.lines if not _STEP.match(line)][-_SHOWN_LINES:]
    watch.log_end(end)
    error = next((line.strip() for line in ended.lines if _ERROR.search(line)), "")
    message = f"{what} {ended.how}" + (f": {error}" if error else "")
    hint = f"read the log: {path}" if path else "see the lines above"
    return EngineError(message, hint, data={"log": str(path or ""), "log_end": end})
