"""The process of the engine ctransformers: token ids in, token ids out.

Run as a script (``python -P ctransformers_worker.py``), never imported by ``phi``: it needs nothing but the standard
library and the shared library of the package ``ctransformers``. The package itself is not imported: that would load a
client of the model hub, and its own detection of the processor takes a second.

The protocol is lines of JSON. Standard input: first how to load (:class:`~phicli.engine.types.LoadSettings`), then
requests (``{"number": …, "prompt": […], …}``) and orders to stop one (``{"stop": number}``); its end is the order to
leave. Standard output: first ``{"build": …}`` or ``{"error": …}``, then what happens to each request: ``processed``
tokens of the prompt, a ``token``, and the ``end`` (``stop``, ``length``, or ``asked``) with the times.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import json
import os
import platform
import queue
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

PACKAGE = "ctransformers"
_LOAD_FAILED = 3
_MOST_BATCH = 512
"""The old llama.cpp measures its buffers for batches of this size, its ``n_batch``."""
_FILES = {"Linux": "libctransformers.so", "Darwin": "libctransformers.dylib", "Windows": "ctransformers.dll"}


class _Config(ctypes.Structure):
    _fields_ = [
        ("context_length", ctypes.c_int),
        ("gpu_layers", ctypes.c_int),
        ("mmap", ctypes.c_bool),
        ("mlock", ctypes.c_bool),
    ]


def library_path() -> Path:
    """The build of the library for this processor: a local one, else that with the most instructions it has.

    Raises:
        OSError: the package is not there, or has no library for this system.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise OSError(f"the package {PACKAGE} is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "lib"
    name = _FILES.get(platform.system(), "")
    flags = processor_flags()
    builds = ["local", *(["avx2"] if {"avx2", "fma", "f16c"} <= flags else [])]
    builds += ["avx"] if {"avx", "f16c"} <= flags else []
    for build in [*builds, "basic"]:
        if name and (folder / build / name).is_file():
            return folder / build / name
    raise OSError(f"{PACKAGE} has no library for {platform.system()}")


def processor_flags() -> set[str]:
    """The instruction sets of this processor, in Linux's words; empty where they do not matter."""
    if platform.system() == "Linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next((set(line.split()) for line in lines if line.startswith("flags")), set())
    if platform.machine().lower() in ("arm64", "aarch64"):
        return set()
    import cpuinfo

    return set(cpuinfo.get_cpu_info().get("flags", ()))


class Model:
    """A loaded model, and the tokens that its KV cache holds.

    Raises:
        OSError: the library cannot be loaded.
        RuntimeError: the file cannot be loaded; the library does not say why.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._library = _declared(ctypes.CDLL(str(library_path())))
        wanted = _Config(config["context_tokens"], 0, True, False)
        path = os.fsencode(config["model_path"])
        self._llm = self._library.ctransformers_llm_create(path, b"llama", wanted)
        if not self._llm:
            raise RuntimeError(f"{PACKAGE} cannot load the file and gives no reason")
        self._threads = config["threads"]
        self.batch_tokens = min(config["batch_tokens"], _MOST_BATCH)
        self._vocabulary = self._library.ctransformers_llm_vocab_size(self._llm)
        self.known: list[int] = []

    def keep_common(self, prompt: list[int]) -> int:
        """Keep only the part of the cache that begins ``prompt``; at least one token is left to evaluate."""
        most = min(len(prompt) - 1, len(self.known))
        common = next((at for at in range(most) if prompt[at] != self.known[at]), most)
        del self.known[common:]
        return common

    def evaluate(self, tokens: list[int]) -> None:
        """Evaluate ``tokens`` after the tokens in the cache.

        Raises:
            RuntimeError: the library cannot.
        """
        array = (ctypes.c_int * len(tokens))(*tokens)
        done = self._library.ctransformers_llm_batch_eval(
            self._llm, array, len(tokens), len(self.known), len(tokens), self._threads
        )
        if not done:
            raise RuntimeError(f"{PACKAGE} cannot evaluate the tokens")
        self.known += tokens

    def next_token(self, sampling: dict[str, Any], seed: int, forbidden: list[int]) -> int:
        """The next token after the tokens in the cache; the likeliest token at temperature 0.

        The library divides by the temperature, takes a ``top_k`` of 0 for 1, and draws with a generator that it seeds
        again for each token (``findings/one_seed_draws_one_token.sh``).
        """
        logits = self._library.ctransformers_llm_logits_data(self._llm)
        for token in forbidden:
            logits[token] = float("-inf")
        greedy = sampling["temperature"] <= 0
        recent = self.known[-sampling["repeat_last_n"] :] if sampling["repeat_last_n"] else []
        return int(
            self._library.ctransformers_llm_sample(
                self._llm,
                (ctypes.c_int * len(recent))(*recent),
                len(recent),
                1 if greedy else sampling["top_k"] or self._vocabulary,
                1.0 if greedy else sampling["top_p"],
                1.0 if greedy else sampling["temperature"],
                sampling["repeat_penalty"],
                seed,
            )
        )


def _declared(library: Any) -> Any:
    """The library with the types of its functions (``ctransformers/llm.py``)."""
    number, pointer, integers = ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    real = ctypes.c_float
    library.ctransformers_llm_create.argtypes = [ctypes.c_char_p, ctypes.c_char_p, _Config]
    library.ctransformers_llm_create.restype = pointer
    library.ctransformers_llm_vocab_size.argtypes = [pointer]
    library.ctransformers_llm_batch_eval.argtypes = [pointer, integers, number, number, number, number]
    library.ctransformers_llm_batch_eval.restype = ctypes.c_bool
    library.ctransformers_llm_logits_data.argtypes = [pointer]
    library.ctransformers_llm_logits_data.restype = ctypes.POINTER(real)
    library.ctransformers_llm_sample.argtypes = [pointer, integers, number, number, real, real, real, number]
    return library


class Requests:
    """The requests that arrive at standard input, and the orders to stop them."""

    def __init__(self, lines: IO[str]) -> None:
        self.waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._stopped: set[int] = set()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def is_stopped(self, number: int) -> bool:
        """Whether the request with that number is to stop."""
        return number in self._stopped

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            message = json.loads(line)
            if "stop" in message:
                self._stopped.add(message["stop"])
            else:
                self.waiting.put(message)
        os._exit(0)


class Answers:
    """Writes answers to standard output. The library cannot write there: its output goes to the log."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, **message: Any) -> None:
        """One line."""
        self._file.write(json.dumps(message) + "\n")
        self._file.flush()


def serve(model: Model, request: dict[str, Any], requests: Requests, answers: Answers) -> None:
    """Answer one request."""
    number, prompt, ends = request["number"], request["prompt"], frozenset(request["end_ids"])
    forbidden = request["forbidden_ids"]
    cached = model.keep_common(prompt)
    answers.send(number=number, processed=cached, cached=cached)
    began = time.monotonic()
    while len(model.known) < len(prompt) and not requests.is_stopped(number):
        model.evaluate(prompt[len(model.known) : len(model.known) + model.batch_tokens])
        answers.send(number=number, processed=len(model.known), cached=cached)
    read, made, end, token = time.monotonic(), 0, "asked", None
    seeds = random.Random(request["seed"])  # noqa: S311 (for reproducible answers)
    while not requests.is_stopped(number):
        if token is not None:
            model.evaluate([token])
        token = model.next_token(request["sampling"], seeds.getrandbits(31), forbidden)
        made += 1
        read = time.monotonic() if made == 1 else read  # the first token belongs to the prompt, as in llama-server
        if token in ends:
            end = "stop"
            break
        answers.send(number=number, token=token)
        if made == request["most"]:
            end = "length"
            break
    now = time.monotonic()
    times = {"prompt_ms": (read - began) * 1000, "decode_ms": (now - read) * 1000}
    answers.send(number=number, end=end, last=token, made=made, evaluated=len(prompt) - cached, **times)


def main() -> None:
    """Load the model that the first line describes, and answer requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    answers = Answers()
    line = sys.stdin.readline()
    if not line:
        os._exit(0)
    try:
        model = Model(json.loads(line))
    except (OSError, RuntimeError) as error:
        answers.send(error=str(error))
        os._exit(_LOAD_FAILED)
    answers.send(build=f"{PACKAGE} {importlib.metadata.version(PACKAGE)}")
    requests = Requests(sys.stdin)
    while request := requests.waiting.get():
        serve(model, request, requests, answers)


if __name__ == "__main__":
    main()
