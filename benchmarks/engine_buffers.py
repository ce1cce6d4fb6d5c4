"""Loads one file and lets the engine's log tell which buffers it allocated.

``python -m benchmarks.engine_buffers '{"path": …}'`` is the child: it loads and leaves. :func:`buffers` starts it and
reads its log.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import xllamacpp

from phicli.engine.engine_process import WORKER

MIB = 1 << 20
_LINE = re.compile(r"(?P<where>\S+) +(?P<what>model|KV|compute|output|LoRA) buffer size = +(?P<mib>[\d.]+) MiB")


@dataclass(frozen=True, slots=True)
class Load:
    """How a file is loaded; the names are those of ``phicli.engine.settings.EngineSettings``."""

    path: str
    context_tokens: int
    kv_type: str = "f16"
    flash_attention: bool = True
    batch_tokens: int = 128
    repack: bool = False
    kernels: str = ""
    """The CPU module to load it with; empty for the kernels of the wheel."""
    adapter: str = ""
    """An adapter (LoRA) beside it; empty for none."""


@dataclass(frozen=True, slots=True)
class Buffers:
    """What the engine says it allocated, in bytes (its log is in hundredths of a MiB)."""

    weights_bytes: int
    repack_bytes: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int
    adapter_bytes: int = 0


def buffers(load: Load, *, timeout_s: float = 300) -> Buffers:
    """Load a file in a child process and return its buffers.

    Raises:
        RuntimeError: it cannot be loaded; the message ends with the engine's log.
        subprocess.TimeoutExpired: it takes longer than ``timeout_s``.
    """
    command = [sys.executable, "-m", "benchmarks.engine_buffers", json.dumps(asdict(load))]
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, env=environment, cwd=folder, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{load} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, float] = {}
    last: dict[str, float] = {}
    for match in _LINE.finditer(done.stderr):
        what = "repack" if match["where"].endswith("REPACK") else match["what"]
        if what == "compute":  # allocated again when an adapter was loaded
            last[match["where"]] = float(match["mib"]) * MIB
        else:
            found[what] = found.get(what, 0.0) + float(match["mib"]) * MIB
    found["compute"] = sum(last.values())
    names = {"weights_bytes": "model", "repack_bytes": "repack", "adapter_bytes": "LoRA"}
    fields = ("weights_bytes", "repack_bytes", "kv_bytes", "compute_bytes", "output_bytes", "adapter_bytes")
    return Buffers(**{name: round(found.get(names.get(name) or _said(name), 0)) for name in fields})


def _said(field: str) -> str:
    name = field.removesuffix("_bytes")
    return "KV" if name == "kv" else name


def main() -> None:
    """Load what the argument says."""
    load = Load(**json.loads(sys.argv[1]))
    if load.kernels and (failed := runpy.run_path(str(WORKER))["use_kernels"](load.kernels)):
        sys.exit(failed)
    params = xllamacpp.CommonParams()
    params.model.path = load.path
    params.n_ctx = load.context_tokens
    params.n_batch = params.n_ubatch = load.batch_tokens
    params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{load.kv_type.upper()}")
    types = xllamacpp.llama_flash_attn_type
    on, off = types.LLAMA_FLASH_ATTN_TYPE_ENABLED, types.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.flash_attn_type = on if load.flash_attention else off
    params.no_extra_bufts = not load.repack
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(load.adapter, 1.0)] if load.adapter else []
    params.warmup = False
    params.n_parallel = 1
    params.kv_unified = False
    params.cache_ram_mib = 0
    params.fit_params = False
    params.verbosity = 4
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    sys.stderr.write(f"listening at {server.listening_address}\n")
    sys.stderr.flush()
    os._exit(0)  # the server's own threads do not end by themselves


if __name__ == "__main__":
    main()
