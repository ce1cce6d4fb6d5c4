"""Where the search looks: the settings to begin with, and the values to try."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.engine.settings import MOST_THREADS, EngineSettings, value_text

REPACK: Final = "repack"
THREADS: Final = "threads"
BATCH_TOKENS: Final = "batch_tokens"
FLASH_ATTENTION: Final = "flash_attention"
KV_TYPE: Final = "kv_type"
ORDER: Final = (REPACK, THREADS, BATCH_TOKENS, FLASH_ATTENTION, KV_TYPE)
"""The settings in the order of what they usually change."""

LABELS: Final[Mapping[str, str]] = {
    REPACK: "repacking",
    THREADS: "threads",
    BATCH_TOKENS: "micro-batch",
    FLASH_ATTENTION: "flash attention",
    KV_TYPE: "KV cache type",
}

_BATCHES: Final = (256, 512)


@dataclass(frozen=True, slots=True)
class Space:
    """What the search begins with and tries.

    ``default`` are the untuned settings of every use, as :func:`phicli.plan.load.plan_load` has them, ``values`` the
    ones to try for each setting. ``fits`` says whether settings fit into memory for a use.
    """

    default: EngineSettings
    values: Mapping[str, Sequence[Any]]
    fits: Callable[[str, EngineSettings], bool]


def threads_to_try(cores: int, logical: int) -> tuple[int, ...]:
    """Numbers of threads beside the ``cores`` that are the default, the most promising first.

    One core less leaves room for the rest of the system, half of them may be enough for the memory, and two a core
    help where the arithmetic waits. More logical processors than two a core belong to a container with a quota.
    """
    more = (logical,) if cores < logical <= 2 * cores else ()
    found = (cores - 1, cores // 2, *more)
    return tuple(dict.fromkeys(count for count in found if 1 <= count <= MOST_THREADS and count != cores))


def values_to_try(
    cores: int,
    logical: int,
    *,
    longest_prompt: int,
    repackable: bool,
    given: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, tuple[Any, ...]]:
    """The values to try for each setting.

    Args:
        cores: physical cores.
        logical: logical processors.
        longest_prompt: tokens that a prompt may have here; larger micro-batches than that cannot be told apart.
        repackable: whether repacking changes anything in the file.
        given: values that a person asked for, in place of the usual ones.
    """
    usual: dict[str, tuple[Any, ...]] = {
        REPACK: (True,) if repackable else (),
        THREADS: threads_to_try(cores, logical),
        BATCH_TOKENS: _BATCHES,
        FLASH_ATTENTION: ("off",),
        KV_TYPE: ("q8_0",),
    }
    for setting, values in (given or {}).items():
        if values:
            usual[setting] = tuple(values)
    usual[BATCH_TOKENS] = tuple(value for value in usual[BATCH_TOKENS] if value <= longest_prompt)
    return usual


def in_words(setting: str, value: Any) -> str:
    """A setting with its value."""
    return f"{LABELS.get(setting, setting)} {value_text(value)}"
