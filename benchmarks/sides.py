"""The programs that are compared: ``phi`` of this checkout with some kernels, an older ``phi``, the engine alone."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.baseline import installed
from benchmarks.processes import Measured, measure
from phicli.paths import data_dir

_LOADED = str(Path(__file__).with_name("loaded.py"))
KERNELS: Final = ("wheel", "native", "both")
AS_PHI_4_MINI: Final = "<|user|>{}<|end|><|assistant|>"
TICK_S: Final = 0.01
"""The system counts CPU time in steps of this length."""
_PIECES: Final = 8
"""Of output, after which a question is ended: about as many tokens."""
_LEFT_OUT: Final = ("PHI_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens per second by the clock, and per CPU second times the threads: the clock's where nothing else runs.

    ``cpu`` is 0 where it is unknown.
    """

    clock: float
    cpu: float


def rate(tokens: int, seconds: float, cpu_s: float, threads: int) -> Rate:
    """That of ``tokens`` which took so much time and CPU time."""
    return Rate(tokens / seconds, tokens * threads / max(cpu_s, TICK_S))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is loaded in another process; ``settings`` as the JSON of ``phi chat`` has them."""

    process: subprocess.Popen[str]
    build: str
    settings: Mapping[str, Any]

    @property
    def threads(self) -> int:
        """Of the engine."""
        return int(self.settings["threads"])

    def prompt_rate(self, prompt: Sequence[int]) -> Rate:
        """Of processing token ids, up to the first token of the answer."""
        cost = self._ask(prompt, 1)
        return rate(len(prompt), cost["first_s"], cost["first_cpu_s"], self.threads)

    def generation_rate(self, prompt: Sequence[int], tokens: int) -> Rate:
        """Of generating ``tokens`` after the first token of the answer."""
        cost = self._ask(prompt, tokens + 1)
        return rate(tokens, cost["rest_s"], cost["rest_cpu_s"], self.threads)

    def _ask(self, prompt: Sequence[int], tokens: int) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # there is no reply then
            print(json.dumps({"prompt": list(prompt), "tokens": tokens}), file=self.process.stdin, flush=True)
        reply = self.process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the process with the model ended with {self.process.wait()}")
        cost: dict[str, float] = json.loads(reply)
        return cost


@dataclass(frozen=True, slots=True)
class Side:
    """One program: how a question is asked, how a model is loaded. Its variables have a ``PHI_HOME`` of its own.

    ``kernels`` are ``wheel`` or ``native`` where there is a choice. ``spelled`` is the chat format for a program that
    has none.
    """

    name: str
    chat: tuple[str, ...]
    load: tuple[str, ...]
    environment: Mapping[str, str]
    kernels: str = ""
    spelled: str = ""

    def first_token(self, model: Path, prompt: str, *, piped: bool) -> Measured:
        """One question up to its first token; ``piped`` through standard input, or as the last argument."""
        command, text = [*self.chat, str(model)], ""
        if self.spelled:
            text = self.spelled.format(prompt)
        elif piped:
            text = prompt
        else:
            command.append(prompt)
        return measure(command, environment=self.environment, text=text, pieces=_PIECES)

    @contextlib.contextmanager
    def loaded(self, model: Path, *options: str) -> Iterator[Loaded]:
        """``model`` in a separate process; ``options`` are the words of ``benchmarks/loaded.py`` behind the file."""
        command = [*self.load, str(model), *options]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(self.environment)
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            hello = process.stdout.readline()
            if not hello:
                raise RuntimeError(f"{' '.join(command)} ended with {process.wait()}")
            about = json.loads(hello)
            try:
                if self.kernels and is_native(about["build"]) != (self.kernels == "native"):
                    raise RuntimeError(f"the engine has not loaded the {self.kernels} kernels: {about['build']}")
                yield Loaded(process, about["build"], about["settings"])
            finally:
                with contextlib.suppress(BrokenPipeError):  # it has ended already
                    process.stdin.close()


def is_native(build: str) -> bool:
    """Whether an engine's build, such as ``xllamacpp 1.2.3 (zen4 kernels)``, has native kernels."""
    return build.endswith(" kernels)")


def checkouts(kernels: str, folder: Path, home: Path | None = None) -> list[Side]:
    """:func:`checkout` with the ``kernels`` that were chosen, one of :data:`KERNELS`."""
    return [checkout(one, folder, home) for one in KERNELS[:2] if kernels in (one, "both")]


def checkout(kernels: str, folder: Path, home: Path | None = None) -> Side:
    """This checkout's ``phi`` with the kernels of the wheel, or with the native ones that ``phi engine use`` chose.

    Args:
        kernels: ``wheel`` or ``native``.
        folder: where its ``PHI_HOME`` is made.
        home: the ``PHI_HOME`` with the native kernels and the choice; None for what ``phi`` uses by default.
    """
    environment = private_environment(folder / f"home-{kernels}")
    if kernels == "native":
        source = data_dir() / "engines" if home is None else home / "data" / "engines"
        if not source.is_dir():
            sys.exit(f"native kernels not found in {source}\n→ build them: phi engine build")
        shutil.copytree(source, Path(environment["PHI_HOME"]) / "data" / "engines")
    return _phi_side(f"`phi`, {kernels} kernels", sys.executable, environment, kernels)


def older(commit: str, folder: Path) -> Side:
    """The ``phi`` of ``commit``, with a ``PHI_HOME`` in ``folder``."""
    python = str(installed(commit))
    asked = subprocess.run([phi_of(python), "--version"], capture_output=True, text=True, check=True)
    version = asked.stdout.splitlines()[0]
    return _phi_side(f"{version} ({commit})", python, private_environment(folder / "home-older"))


def engine_defaults(folder: Path) -> Side:
    """The engine of the package with its own defaults, without ``phi``."""
    command = (sys.executable, "-m", "benchmarks.engine_defaults")
    environment = private_environment(folder / "home-engine")
    return Side("the engine with its defaults", command, command, environment, spelled=AS_PHI_4_MINI)


def private_environment(home: Path) -> dict[str, str]:
    """The variables of this process, without those of ``phi``, and with ``home`` as its only folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return {**kept, "PHI_HOME": str(home)}


def phi_of(python: str) -> str:
    """The ``phi`` of the environment of an interpreter."""
    return str(Path(python).with_name("phi.exe" if sys.platform == "win32" else "phi"))


def _phi_side(name: str, python: str, environment: Mapping[str, str], kernels: str = "") -> Side:
    return Side(name, (phi_of(python), "chat", "-q"), (python, "-P", _LOADED), environment, kernels)


def add_kernels(parser: argparse.ArgumentParser) -> None:
    """The options ``--kernels`` and ``--home``."""
    parser.add_argument("--kernels", choices=KERNELS, default="wheel", help="of `phi` (default: wheel)")
    parser.add_argument("--home", type=Path, help="the PHI_HOME with the native kernels (default: that of `phi`)")


def prompt_tokens(side: Side, model: Path, prompt: str) -> int:
    """How many tokens the ``phi`` of ``side`` says that a prompt has, with its chat format."""
    command = [*side.chat, str(model), prompt, "-n", "1", "--json"]
    done = subprocess.run(
        command, env=dict(side.environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.decode()}")
    return int(json.loads(done.stdout)["data"]["usage"]["prompt_tokens"])
