"""Loads a model as a version of ``phi`` loads it, and answers requests with what each of them cost.

``PYTHON -P benchmarks/loaded.py FILE "one answer"|conversation [on|off]`` runs in the environment of that version: this
checkout or version 0.1. So it imports ``phicli`` and nothing else from the checkout. The last word overrides whether
the weights are repacked. The first line of its output says what was loaded (``build``, ``settings``). Then it answers
each line of standard input (``{"prompt": [ids], "tokens": number}``) with a line of JSON: seconds, and CPU seconds of
this process and the engine's, up to the first token and from the first token to the last.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CONTEXT_TOKENS = 1024
Stream = Callable[[list[int], int], Iterable[object]]
"""From a prompt and a number of tokens to one item for each token."""


def cpu_seconds(pid: int | None = None) -> float:
    """CPU time that a process (this one when None) and its living children have taken."""
    import psutil

    root, total = psutil.Process(pid), 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def cost(pieces: Iterable[object]) -> dict[str, float]:
    """What iterating over ``pieces`` takes: to the first one, and from there to the last one."""
    marks = [(time.perf_counter(), cpu_seconds())]
    for number, _ in enumerate(pieces):
        if number == 0:
            marks.append((time.perf_counter(), cpu_seconds()))
    marks.append((time.perf_counter(), cpu_seconds()))
    start, first, end = marks
    return {
        "first_s": first[0] - start[0], "first_cpu_s": first[1] - start[1],
        "rest_s": end[0] - first[0], "rest_cpu_s": end[1] - first[1],
    }  # fmt: skip


def serve(stream: Stream, about: dict[str, Any]) -> None:
    """Print ``about``, then answer the requests on standard input until it ends."""
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(cost(stream(request["prompt"], request["tokens"]))), flush=True)


def planned(path: str, use: str, repack: bool | None) -> tuple[Any, dict[str, Any]]:
    """The ``LoadSettings`` that ``phi chat`` chooses for a use, and the same as its JSON has them."""
    from phicli.plan.chat_options import ChatOptions
    from phicli.plan.load import Use
    from phicli.plan.locate import locate

    try:
        from phicli.answering.opening import open_model
    except ModuleNotFoundError:  # version 0.1
        from phicli.chat.open import open_chat as open_model  # type: ignore[assignment]
    with open_model(locate(path), ChatOptions(), Use(use)) as opened:
        settings, data = opened.plan.settings, opened.plan.settings_data()
    if repack is not None:
        data["repack"] = repack
        settings = _replaced(settings, engine=_replaced(settings.engine, repack=repack))
    return _replaced(settings, context_tokens=CONTEXT_TOKENS), data


def _replaced(settings: Any, **values: Any) -> Any:
    import dataclasses

    return dataclasses.replace(settings, **values)


def main() -> None:
    """Load, and serve."""
    from phicli.engine.types import Sampling

    try:
        from phicli.engine.server_engine import LlamaServerEngine
    except ModuleNotFoundError:  # version 0.1
        from phicli.engine.llama_server import LlamaServerEngine  # type: ignore[import-not-found,no-redef]
    path, use, *repack = sys.argv[1:]
    settings, data = planned(str(Path(path)), use, repack[0] == "on" if repack else None)
    engine = LlamaServerEngine(settings)

    def stream(prompt: list[int], tokens: int) -> Iterable[object]:
        for event in engine.generate(prompt, Sampling(max_tokens=tokens, ignore_eos=True)):
            if type(event).__name__ == "Chunk":
                yield event

    try:
        list(stream([1], 1))  # the build is known when it has loaded
        serve(stream, {"build": engine.build, "settings": data})
    finally:
        engine.close()


if __name__ == "__main__":
    main()
