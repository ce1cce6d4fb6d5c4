"""What was typed behind ``phi bench``, read into numbers and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from phicli.bench.types import FLASH_ATTENTION
from phicli.errors import UsageError
from phicli.fit.memory import KV_TYPE_BYTES

ENGINES: Final = ("xllamacpp", "llama-server")
QUICK_PROMPT: Final = 48
QUICK_TOKENS: Final = 12
QUICK_REPEAT: Final = 3
"""What ``--quick`` measures; with loading and warming up about 16 s for 4 billion parameters on two cores."""

_SWITCH: Final = ("on", "off")
_MOST: Final = 1 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Options of ``phi bench``; lists give a grid, an empty one leaves the value to the machine.

    ``output`` is ``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``. ``baseline`` is a file, ``last`` or the
    beginning of a run's id. ``quick`` asks for fewer tokens and repetitions.
    """

    prompt_tokens: tuple[int, ...] = (512,)
    generated_tokens: tuple[int, ...] = (128,)
    depth_tokens: tuple[int, ...] = (0,)
    repeat: int = 5
    quick: bool = False
    context_tokens: int | None = None
    threads: tuple[int, ...] = ()
    batch_tokens: tuple[int, ...] = ()
    kv_types: tuple[str, ...] = ()
    flash_attention: tuple[str, ...] = ()
    repack: tuple[bool, ...] = ()
    gpu_layers: tuple[int, ...] = ()
    engines: tuple[str, ...] = ("xllamacpp",)
    llama_server: Path | None = None
    quality: bool = True
    baseline: str | None = None
    fail_below: float | None = None
    force: bool = False
    plot: Path | None = None
    output: str = "text"
    quiet: bool = False
    url: str | None = None
    concurrency: tuple[int, ...] = (1,)
    requests: int | None = None
    tune: bool = False
    reset: bool = False
    eval_file: str | None = None
    limit: int | None = None
    seed: int = 1
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """The options as typed, in the order in which ``phi bench`` has them."""

    prompt_tokens: str | None = None
    tokens: str | None = None
    depth: str | None = None
    repeat: int | None = None
    quick: bool = False
    context: int | None = None
    threads: str | None = None
    batch_size: str | None = None
    kv_type: str | None = None
    flash_attention: str | None = None
    repack: str | None = None
    gpu_layers: str | None = None
    engine: str | None = None
    llama_server: Path | None = None
    quality: bool = True
    baseline: str | None = None
    fail_below: float | None = None
    force: bool = False
    plot: Path | None = None
    url: str | None = None
    concurrency: str | None = None
    requests: int | None = None
    tune: bool = False
    reset: bool = False
    eval_file: str | None = None
    limit: int | None = None
    restart: bool = False
    seed: int = 1
    quiet: bool = False

    def read(self, *, as_json: bool, jsonl: bool, csv: bool, markdown: bool) -> BenchOptions:
        """The same as numbers.

        Raises:
            UsageError: something in it makes no sense.
        """
        prompt = numbers(self.prompt_tokens, "--prompt-tokens") or ((QUICK_PROMPT,) if self.quick else (512,))
        generated = numbers(self.tokens, "--tokens") or ((QUICK_TOKENS,) if self.quick else (128,))
        if prompt == generated == (0,):
            raise UsageError("--prompt-tokens 0 and --tokens 0 leave nothing to measure", "leave one of them out")
        return BenchOptions(
            prompt_tokens=prompt,
            generated_tokens=generated,
            depth_tokens=numbers(self.depth, "--depth") or (0,),
            repeat=self.repeat or (QUICK_REPEAT if self.quick else 5),
            quick=self.quick,
            context_tokens=self.context,
            threads=numbers(self.threads, "--threads", least=1, most=1024),
            batch_tokens=numbers(self.batch_size, "--batch-size", least=1, most=16384),
            kv_types=kv_types(self.kv_type),
            flash_attention=flash_attention(self.flash_attention),
            repack=switches(self.repack, "--repack"),
            gpu_layers=numbers(self.gpu_layers, "--gpu-layers"),
            engines=words(self.engine, "--engine", ENGINES) or ENGINES[:1],
            llama_server=self.llama_server,
            quality=self.quality,
            baseline=self.baseline,
            fail_below=self.fail_below,
            force=self.force,
            plot=self.plot,
            output=output_format(as_json=as_json, jsonl=jsonl, csv=csv, markdown=markdown),
            quiet=self.quiet,
            url=self.url,
            concurrency=numbers(self.concurrency, "--concurrency", least=1, most=256) or (1,),
            requests=self.requests,
            tune=self.tune,
            reset=self.reset,
            eval_file=self.eval_file,
            limit=self.limit,
            seed=self.seed,
            restart=self.restart,
        )


def numbers(text: str | None, option: str, *, least: int = 0, most: int = _MOST) -> tuple[int, ...]:
    """A list such as ``1,2,4``, each once, in the order given; empty for None.

    Raises:
        UsageError: something in it is no whole number between ``least`` and ``most``.
    """

    def read(word: str) -> int:
        digits = word.removeprefix("-")
        value = int(word) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
        if value is None or not least <= value <= most:
            raise UsageError(
                f"{option} {word} is not a whole number between {least} and {most}",
                f"for example: {option} {least or 1}",
            )
        return value

    return _list(text, option, read)


def words(text: str | None, option: str, known: Sequence[str]) -> tuple[str, ...]:
    """The same for words out of ``known``, in any case.

    Raises:
        UsageError: a word is not among them.
    """

    def read(word: str) -> str:
        if word.lower() not in known:
            raise UsageError(f"{option} {word} is unknown", f"there is {', '.join(known)}")
        return word.lower()

    return _list(text, option, read)


def switches(text: str | None, option: str) -> tuple[bool, ...]:
    """The same for ``on`` and ``off``.

    Raises:
        UsageError: a word is neither.
    """
    return tuple(word == "on" for word in words(text, option, _SWITCH))


def kv_types(text: str | None) -> tuple[str, ...]:
    """The same for types of the context's memory."""
    return words(text, "--kv-type", tuple(KV_TYPE_BYTES))


def flash_attention(text: str | None) -> tuple[str, ...]:
    """The same for ``--flash-attention``."""
    return words(text, "--flash-attention", FLASH_ATTENTION)


def _list(text: str | None, option: str, read: Callable[[str], _T]) -> tuple[_T, ...]:
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"{option} {text!r} has an empty place", f"separate values with one comma: {option} 1,2")
    return tuple(dict.fromkeys(read(part) for part in parts))


def output_format(*, as_json: bool, jsonl: bool, csv: bool, markdown: bool) -> str:
    """The one format that was asked for, else ``text``.

    Raises:
        UsageError: more than one was.
    """
    asked = [
        name for name, wanted in (("json", as_json), ("jsonl", jsonl), ("csv", csv), ("markdown", markdown)) if wanted
    ]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} exclude each other", "leave one of them out")
    return asked[0] if asked else "text"
