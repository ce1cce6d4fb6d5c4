"""A ``llama-server`` made of the installed engine: a real one, on every machine that runs the tests.

It takes the options and variables that ``phi`` gives to such a program; ``install`` makes it executable.
"""

from __future__ import annotations

import csv
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phicli.engine.settings import EngineSettings
from phicli.engine.types import Adapter, LoadSettings

VERSION = "version: 9876 (5a1ad)\nbuilt from the wheel\n"
BUILD = "llama-server 9876 (5a1ad), AVX2"
_SYSTEM = "0.00.002 I cmn  x: system_info: n_threads = 2 / 2 | CPU : SSE3 = 1 | AVX2 = 1 | SVE = 0 | REPACK = 1 |\n"
_WITHOUT_VALUE = ("--no-repack", "--no-warmup")


def install(folder: Path, name: str = "llama-server") -> Path:
    """The program in ``folder``, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    text = f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    path.write_text(
        f"#!{sys.executable}\n{text}from tests.support.wheel_server import main\nmain()\n", encoding="utf-8"
    )
    path.chmod(0o755)
    return path


def config(options: dict[str, str], adapters: Sequence[str] = ()) -> dict[str, Any]:
    """The options as the engine's worker takes them; ``adapters`` are the values of ``--lora``."""
    slots = int(options["--parallel"])
    _, _, name = options.get("--override-kv", "").partition("general.name=str:")
    engine = EngineSettings(
        threads=int(options["-t"]),
        batch_tokens=int(options["-b"]),
        kv_type=options["--cache-type-k"],
        flash_attention=options["-fa"],
        repack="--no-repack" not in options,
        gpu_layers=int(options.get("--n-gpu-layers", -1)),
    )
    settings = LoadSettings(
        model_path=Path(options["-m"]),
        context_tokens=int(options["-c"]) // slots,
        engine=engine,
        warmup="--no-warmup" not in options,
        slots=slots,
        own_template="LLAMA_ARG_CHAT_TEMPLATE" not in os.environ,
        model_name=name or None,
        slot_folder=Path(options["--slot-save-path"]) if "--slot-save-path" in options else None,
        adapters=tuple(Adapter(Path(path)) for value in adapters for path in next(csv.reader([value]))),
    )
    return settings.to_data() | {"api_key": os.environ["LLAMA_API_KEY"]}


def main() -> None:
    """Be a server until SIGTERM."""
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.stderr.write(VERSION)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = {
        word: "" if word in _WITHOUT_VALUE else words[place + 1]
        for place, word in enumerate(words)
        if word.startswith("-") and not word[1:].isdecimal()
    }
    if not Path(options["-m"]).exists():
        sys.exit(_SYSTEM + f"0.00.003 E gguf_init_from_file: failed to open GGUF file '{options['-m']}'")
    import xllamacpp

    from phicli.engine.worker import parameters

    lora = [words[place + 1] for place, word in enumerate(words) if word == "--lora"]
    settings = parameters(config(options, lora))
    settings.port = int(options["--port"])
    settings.endpoint_metrics = True
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError:
        time.sleep(1)  # for the reason, which a thread of llama.cpp writes
        os._exit(1)
    while server:
        time.sleep(3600)
