"""The other side of the comparison: the same engine with its own defaults.

``python -m benchmarks.engine_defaults FILE PROMPT MAX_TOKENS`` is what a person gets who starts llama.cpp's server from
the same package and asks it once, the text on standard output: weights repacked, warm-up on, batches of 2048. Only the
context is set (to 4096, what ``phi`` allocates), because the default would be the full trained one.

``python -m benchmarks.engine_defaults FILE`` loads, then answers each line of standard input (the body of a
``/completion`` request) with a line of JSON, the engine's timings.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import xllamacpp


def load(path: str) -> str:
    """Load the file and return the address of the server."""
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = 4096
    params.n_parallel = 1
    params.verbosity = 1
    params.port = 0
    load.server = xllamacpp.Server(params)  # type: ignore[attr-defined]  # lives as long as the process
    return str(load.server.listening_address)  # type: ignore[attr-defined]


def complete(address: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of one streamed completion."""
    request = urllib.request.Request(  # noqa: S310 (loopback)
        address + "/completion", json.dumps({**body, "stream": True}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        for line in response:
            if line.startswith(b"data:"):
                yield json.loads(line[5:])


def main() -> None:
    """One answer as text, or timings for each line of standard input."""
    address = load(sys.argv[1])
    if len(sys.argv) > 2:
        body = {"prompt": sys.argv[2], "n_predict": int(sys.argv[3]), "temperature": 0}
        for event in complete(address, body):
            print(event["content"], end="", flush=True)
    for line in sys.stdin if len(sys.argv) == 2 else ():
        *_, last = complete(address, json.loads(line))
        print(json.dumps(last["timings"]), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
