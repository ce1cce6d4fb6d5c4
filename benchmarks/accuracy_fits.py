"""Does what "fits" fit? Models are loaded and their contexts filled under a limit of memory around the planned sums.

Two processes, as with ``phi chat``, run in a control group whose limit is what ``plan_memory`` says, and 64 MiB more
and less; and once more with what ``phi`` keeps free on top, which is the least memory with which it says "fits". The
libraries, which others have in memory already and nobody charges again, are taken off each limit.

It did not fit when a process was killed, or when the pages of the weights did not stay in memory: then every token
reads them from the disk again, which ``/proc/PID/io`` tells of the engine while it decodes.

Files with random weights (``phicli.gguf_file.synthetic``) are kept in a cache folder; those of few layers will do, as
the sums are made of the same parts. Needs Linux and the right to make control groups.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy_resident import SHAPES, synthetic_file
from benchmarks.memory_limit import LimitedGroup, forget, limited_group
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Done, LoadSettings, Sampling
from phicli.errors import PhiError
from phicli.fit.memory import MIB, plan_memory, usable_bytes
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header
from phicli.hardware.available import Memory
from phicli.hardware.cpu import physical_cores

STEPS_MIB = (-64, 0, 64)
CASES = (("phi-4-mini", 2, 2048), ("phi-4-mini", 2, 8192), ("phi-4-mini", 8, 1024), ("phi-4-mini", 8, 4096),
         ("phi-3-mini", 8, 1024))  # fmt: skip
_TOKENS = 8
_FEW_BYTES = 4 * MIB
"""Code that is run for the first time has to be read once; the weights are hundreds of MiB per token."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened below a limit: killed or not, bytes read while decoding all tokens, and the group's peak."""

    killed: bool
    read_bytes: int
    tokens_per_s: float
    peak_bytes: int | None

    @property
    def fitted(self) -> bool:
        """Nothing was killed, and all of it stayed in memory."""
        return not self.killed and self.read_bytes <= _FEW_BYTES

    @property
    def words(self) -> str:
        """The outcome in a few words."""
        if self.killed:
            return "killed"
        return "fits" if self.fitted else f"read again: {self.read_bytes / _TOKENS / MIB:,.0f} MiB per token"


def run_below(path: Path, context_tokens: int, limit_bytes: int, *, repack: bool) -> Outcome:
    """Fill the context of the model below a limit.

    Raises:
        OSError: no control group can be made.
    """
    forget(path)
    told = json.dumps({"path": str(path), "context_tokens": context_tokens, "repack": repack})
    with limited_group(limit_bytes) as group:
        arguments = json.dumps({"path": str(group.path), "version": group.version})
        command = [sys.executable, "-m", "benchmarks.accuracy_fits", "--child", told, arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        killed, peak = group.killed() > 0, group.peak_bytes()
    if killed or done.returncode < 0:
        return Outcome(True, 0, 0.0, peak)
    if done.returncode:
        raise RuntimeError(f"the child ended with {done.returncode}: {done.stderr[-2000:]}")
    data = json.loads(done.stdout.splitlines()[-1])
    return Outcome(False, data["read_bytes"], data["tokens_per_s"], peak)


def child(told: dict[str, object], group: LimitedGroup) -> None:
    """In the group: load, read a prompt that fills the context, decode, and print what it took."""
    group.join()
    context = int(str(told["context_tokens"]))
    settings = LoadSettings(
        Path(str(told["path"])), context, EngineSettings(physical_cores(), repack=bool(told["repack"]), gpu_layers=0)
    )
    engine = LlamaServerEngine(settings)
    try:
        prompt = [1000 + number % 20_000 for number in range(context - 2 * _TOKENS - 2)]
        list(engine.generate(prompt, Sampling(max_tokens=2)))
        before = _bytes_read(engine.pid)
        *_, done = engine.generate(prompt, Sampling(max_tokens=_TOKENS))
        read = _bytes_read(engine.pid) - before
    finally:
        engine.close()
    assert isinstance(done, Done)
    print(json.dumps({"read_bytes": read, "tokens_per_s": 1000 * _TOKENS / max(done.timings.decode_ms, 1e-3)}))


def _bytes_read(pid: int | None) -> int:
    """What the process made the disk read, for its mapped files too."""
    facts = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text("ascii").splitlines())
    return int(facts["read_bytes"])


def rows(options: argparse.Namespace) -> Iterator[tuple[str, int, bool, Outcome]]:
    """For each run: the case, the limit in words and whether ``phi`` says that it fits, and the outcome."""
    for name, layers, context in options.cases:
        path = synthetic_file(name, "Q4_K_M", layers)
        shape = shape_of(read_header(path))
        for repack in (False, True):
            needed = plan_memory(shape, EngineSettings(1, repack=repack), context_tokens=context)
            what = f"{name}, {layers} layers, {context:,} tokens{', repacked' if repack else ''}"
            for step in STEPS_MIB:
                yield (
                    f"{what} | the sums {step:+d} MiB",
                    needed.resident_bytes,
                    step >= 0,
                    run_below(path, context, _charged(needed, needed.resident_bytes + step * MIB), repack=repack),
                )
            least = least_memory(needed.resident_bytes)
            yield (
                f"{what} | the minimum that `phi` asks for",
                needed.resident_bytes,
                True,
                run_below(path, context, _charged(needed, least), repack=repack),
            )


def least_memory(needed_bytes: int) -> int:
    """The smallest memory, all of it free, in which ``phi`` says that ``needed_bytes`` fit."""
    low, high = 0, 4 * needed_bytes + (1 << 32)
    while high - low > 1:
        middle = (low + high) // 2
        fits = usable_bytes(Memory(middle, middle, "a test")) >= needed_bytes
        low, high = (low, middle) if fits else (middle, high)
    return high


def _charged(needed: MemorySum, limit_bytes: int) -> int:
    """The limit without the libraries."""
    return limit_bytes - (needed.reclaimable_bytes - needed.weights_bytes)


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--child"]:
        told, where = (json.loads(word) for word in sys.argv[2:4])
        try:
            child(told, LimitedGroup(Path(where["path"]), where["version"]))
        except PhiError as error:
            sys.exit(f"{error.message}; {error.hint}")
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one model of two layers")
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    options = parser.parse_args()
    options.cases = [case for case in CASES[: 1 if options.quick else None] if case[0] in options.models]
    print(f"load average {os.getloadavg()[0]:.1f} at the start\n")
    print("| | limit | needed according to the sums | `phi` says | result | charged at most | tokens/s |")
    print("|---|---|---|---|---|---|---|")
    wrong, said = 0, 0
    for what, needed, fits, outcome in rows(options):
        said += fits
        wrong += fits and not outcome.fitted
        peak = "" if outcome.peak_bytes is None else f"{outcome.peak_bytes / MIB:,.0f}"
        speed = "" if outcome.killed else f"{outcome.tokens_per_s:.1f}"
        verdict = "fits" if fits else "no"
        print(f"| {what} | {needed / MIB:,.0f} | {verdict} | {outcome.words} | {peak} | {speed} |", flush=True)
    print(f'\nFalse "fits": {wrong} of {said}. Sums and charges in MiB.')


if __name__ == "__main__":
    main()
