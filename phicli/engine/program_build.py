"""Which ``llama-server`` a program is: its version, and the instruction sets that it was built for."""

from __future__ import annotations

import contextlib
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Final

from phicli.engine.engine_process import engine_environment
from phicli.errors import EngineError, NotFoundError

_TIMEOUT_S: Final = 30.0
_MOST_BYTES: Final = 1 << 22
_VERSION: Final = re.compile(r"^version: (?P<version>\S.{0,80}?)\s*$", re.MULTILINE)
_SYSTEM: Final = re.compile(r"system_info:.*?\| CPU : (?P<features>.*)")
_FEATURE: Final = re.compile(r"(\w+) = [1-9]")
_INSTRUCTION_SETS: Final = {
    "AVX2": "AVX2", "AVX_VNNI": "AVX_VNNI", "AVX512": "AVX512F", "AVX512_VNNI": "AVX512_VNNI",
    "AVX512_BF16": "AVX512_BF16", "AMX_INT8": "AMX", "NEON": "NEON", "DOTPROD": "DOTPROD", "MATMUL_INT8": "I8MM",
    "SVE": "SVE", "SME": "SME",
}  # fmt: skip
"""Those that make a difference to speed: llama.cpp's word (``ggml_backend_cpu_get_features``) to that of
:class:`phicli.hardware.types.Cpu`."""
_TRACE: Final = "4"
_OF_ITS_OWN: Final = ("LLAMA_", "AIP_")
"""Beginnings of variables that would change what the options say, the port among it."""
_NO_FOLDER: Final = "/dev/null"


def native_build(binary: Path) -> str:
    """Version and instruction sets that a ``llama-server`` reports: ``llama-server 6123 (a1b2c3d4), AVX2 AVX512F``.

    Each file is asked once per process. Two programs of one version may be built for different processors, and then
    differ in speed. If a program does not report its instruction sets, its build has none.

    Raises:
        NotFoundError: there is no such program.
        EngineError: it cannot be run, or is not a llama-server.
    """
    try:
        status = binary.stat()
    except OSError as error:
        raise NotFoundError(f"program not found: {binary}", _hint()) from error
    return _asked(binary, status.st_size, status.st_mtime_ns)


def sets_in_build(build: str) -> tuple[str, ...]:
    """The instruction sets in what :func:`native_build` returned; empty where it has none."""
    return tuple(word for word in build.rpartition(", ")[2].split() if word in _INSTRUCTION_SETS.values())


def program_environment(api_key: str) -> dict[str, str]:
    """The variables of the process; only ``phi`` sets options with them.

    The key is a variable because other users can see the options of a process. The others are what ``worker.py`` sets:
    no prompt cache in RAM, no unified cache, no shrinking of the context, no web page; and a log of errors alone.
    Outside Windows the user's own settings of llama.cpp (``config.ini`` in ``XDG_CONFIG_HOME``) are out of reach; those
    of the system are not, but no other address can come from there.
    """
    kept = {name: value for name, value in engine_environment().items() if not name.startswith(_OF_ITS_OWN)}
    ours = {
        "LLAMA_ARG_CACHE_RAM": "0",
        "LLAMA_ARG_KV_UNIFIED": "0",
        "LLAMA_ARG_FIT": "off",
        "LLAMA_ARG_UI": "0",
        "LLAMA_ARG_NO_WEBUI": "1",
        "LLAMA_ARG_LOG_VERBOSITY": "1",
        "LLAMA_ARG_LOG_PREFIX": "1",
        "LLAMA_ARG_LOG_TIMESTAMPS": "1",
        "LLAMA_ARG_API_PREFIX": "",
        "XDG_CONFIG_HOME": _NO_FOLDER,
    }
    return kept | ours | ({"LLAMA_API_KEY": api_key} if api_key else {})


@lru_cache(maxsize=8)
def _asked(binary: Path, _size: int, _changed_ns: int) -> str:
    try:
        said = _output(binary, ["--version"], program_environment(""))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{binary} cannot be run: {error}", _hint()) from error
    found = _VERSION.search(said)
    if found is None:
        first = next((line.strip() for line in said.splitlines() if line.strip()), "it prints nothing")
        raise EngineError(f"{binary} does not report a version as llama-server does: {first[:200]}", _hint())
    sets = " ".join(_instruction_sets(binary))
    return f"llama-server {found['version']}" + (f", {sets}" if sets else "")


def _instruction_sets(binary: Path) -> tuple[str, ...]:
    """The instruction sets that the program was built for. It logs them before it looks for the file to load."""
    trace = program_environment("none") | {"LLAMA_ARG_LOG_VERBOSITY": _TRACE}
    arguments = ["-m", f"{_NO_FOLDER}/no.gguf", "--host", "127.0.0.1", "--port", "0"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        found = _SYSTEM.search(_output(binary, arguments, trace))
        features = set(_FEATURE.findall(found["features"])) if found else set()
        return tuple(word for name, word in _INSTRUCTION_SETS.items() if name in features)
    return ()


def _output(binary: Path, arguments: list[str], environment: dict[str, str]) -> str:
    """What the program prints until it ends.

    Raises:
        OSError: it cannot be run.
        subprocess.TimeoutExpired: it does not end.
    """
    done = subprocess.run(
        [str(binary), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
        env=environment,
    )
    return (done.stdout[:_MOST_BYTES] + b"\n" + done.stderr[:_MOST_BYTES]).decode(errors="replace")


def _hint() -> str:
    return "give llama.cpp's own server: --llama-server PATH"
