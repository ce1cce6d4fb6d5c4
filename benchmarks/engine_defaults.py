"""The other side of a comparison: the same engine with its own defaults.

``python -m benchmarks.engine_defaults FILE < PROMPT`` is what a person gets who starts llama.cpp's server from the
same package and asks it once, the text on standard output: weights repacked, warm-up on, batches of 2048. Only the
context is set (to 4096), because the default would be the full trained one. The prompt has its special tokens spelled.

``python -m benchmarks.engine_defaults FILE serve`` loads, then answers requests as ``benchmarks/loaded.py`` does.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import xllamacpp

from benchmarks.loaded import serve


def load(path: str) -> tuple[xllamacpp.Server, int]:
    """The server with the file loaded, and its number of threads."""
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = 4096
    params.n_parallel = 1
    params.verbosity = 1
    params.port = 0
    server = xllamacpp.Server(params)
    return server, params.cpuparams.n_threads


def complete(address: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of one streamed completion that have a token."""
    request = urllib.request.Request(  # noqa: S310 (loopback)
        address + "/completion", json.dumps({**body, "stream": True}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        for line in response:
            if line.startswith(b"data:"):
                event = json.loads(line[5:])
                if not event["stop"]:
                    yield event


def main() -> None:
    """One answer as text, or what each request on standard input costs."""
    server, threads = load(sys.argv[1])
    body = {"temperature": 0, "ignore_eos": True}
    if len(sys.argv) == 2:
        for event in complete(server.listening_address, {**body, "prompt": sys.stdin.read(), "n_predict": 512}):
            print(event["content"], end="", flush=True)
    else:

        def stream(prompt: list[int], tokens: int) -> Iterator[object]:
            return complete(server.listening_address, {**body, "prompt": prompt, "n_predict": tokens})

        serve(stream, {"build": f"xllamacpp {xllamacpp.__version__}", "settings": {"threads": threads}})
    os._exit(0)


if __name__ == "__main__":
    main()
