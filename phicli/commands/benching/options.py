"""What was typed behind ``phi bench``, read into numbers and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from phicli.errors import UsageError
from phicli.fit.memory import KV_TYPE_BYTES
from phicli.records.run import FLASH_ATTENTION

ENGINES: Final = ("xllamacpp", "llama-server")
QUICK_PROMPT: Final = 32
QUICK_TOKENS: Final = 12
QUICK_REPEAT: Final = 3
"""What ``--quick`` measures; docs/bench.md says how long it takes for 4 billion parameters on two cores."""

_SWITCH: Final = ("on", "off")
_MOST: Final = 1 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Options of ``phi bench``; lists give a grid, an empty one leaves the value to the machine.

    ``output`` is ``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``. ``baseline`` is a file, ``last`` or the
    beginning of a run's id. ``quick`` asks for fewer tokens and repetitions. ``answer_tokens`` is
    ``--tokens`` where it was typed as one number, for ``--eval``. ``repeat_typed`` tells a ``--repeat`` that was typed
    from the default, for ``--url``.
    """

    prompt_tokens: tuple[int, ...] = (512,)
    generated_tokens: tuple[int, ...] = (128,)
    depth_tokens: tuple[int, ...] = (0,)
    repeat: int = 5
    repeat_typed: bool = False
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
    answer_tokens: int | None = None


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
