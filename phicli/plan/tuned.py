"""How the engine is set for a load: by what was asked for, else by what tuning found here, else by default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from phicli.fit.memory import KV_TYPE_BYTES, plan_memory, usable_bytes
from phicli.fit.shape import ModelShape
from phicli.fit.types import MemorySum
from phicli.hardware.available import Memory
from phicli.plan.chat_options import ChatOptions
from phicli.records.tuned import BATCH, CONVERSATION, ONE_ANSWER, USES, Tuned, Winner

__all__ = ["BATCH", "BATCH_TOKENS", "CONVERSATION", "ONE_ANSWER", "USES", "EngineChoice", "Tuned", "Winner", "choose"]

BATCH_TOKENS = 128
"""Closing the connection stops the reading of a prompt between batches only, so small ones stop soon; on a processor
they are read about as fast as large ones (``benchmarks/cold_start.py``, prefill). Tuning takes larger ones only where
that reads more than 10 % faster."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Settings of the engine; ``tuned`` when tuning found them, whatever a person set differently."""

    threads: int
    batch_tokens: int = BATCH_TOKENS
    kv_type: str = "f16"
    flash_attention: str = "auto"
    repack: bool = False
    tuned: bool = False

    def needed(self, shape: ModelShape, context_tokens: int) -> MemorySum:
        """What a model of ``shape`` takes with these settings."""
        return plan_memory(
            shape,
            context_tokens=context_tokens,
            kv_type_bytes=KV_TYPE_BYTES[self.kv_type],
            batch_tokens=self.batch_tokens,
            repack=self.repack,
            flash_attention=self.flash_attention != "off",
        )

    def fitting(self, shape: ModelShape, context_tokens: int, memory: Memory | None) -> EngineChoice:
        """The same as far as the memory goes.

        Dropped first is repacking, then what tuning said of the micro-batch and flash attention, both of which only
        make something faster. What is left may still not fit.
        """
        steps = list(self._smaller())
        if memory is None:
            return steps[0]
        usable = usable_bytes(memory)
        return next((one for one in steps if one.needed(shape, context_tokens).total_bytes <= usable), steps[-1])

    def _smaller(self) -> Iterator[EngineChoice]:
        yield self
        if self.repack:
            yield replace(self, repack=False)
        if (self.batch_tokens, self.flash_attention) != (BATCH_TOKENS, "auto"):
            yield replace(self, repack=False, batch_tokens=BATCH_TOKENS, flash_attention="auto")


def choose(
    options: ChatOptions, winner: Winner | None, *, kv_type: str = "f16", cores: int, repack: bool
) -> EngineChoice:
    """The settings as if memory did not matter.

    Options (flags and ``PHI_`` variables) come first, then ``winner``, then the defaults: the physical ``cores``, and
    ``repack``. A winner was found with the layers where the engine puts them, so ``--gpu-layers`` sets it aside. The
    type of cache is no matter of speed: ``kv_type`` was decided before.
    """
    if winner is None or options.gpu_layers is not None:
        return EngineChoice(options.threads or cores, kv_type=kv_type, repack=repack)
    flash_attention = winner.flash_attention if kv_type == "f16" else "auto"  # a quantised cache needs it
    return EngineChoice(
        options.threads or winner.threads, winner.batch_tokens, kv_type, flash_attention, winner.repack, tuned=True
    )
