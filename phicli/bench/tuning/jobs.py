"""What has to be measured to tell two settings apart."""

from __future__ import annotations

from typing import Final

from phicli.bench.tuning.space import BATCH_TOKENS, FLASH_ATTENTION, KV_TYPE
from phicli.bench.tuning.types import Job
from phicli.engine.settings import EngineSettings

CONFIRM: Final = "all"
"""In place of a setting: winners against the defaults, whatever they differ in."""

DEEP_TOKENS: Final = 256
"""The context after which the type of its memory and flash attention show what they are worth."""


def job_for(setting: str, incumbent: EngineSettings, challenger: EngineSettings) -> Job:
    """What to measure: only what the value can change, with a prompt that is long enough to show it."""
    if setting == BATCH_TOKENS:
        longest = max(incumbent.batch_tokens, challenger.batch_tokens)
        return Job(prompt_tokens=longest, generated_tokens=0, batched=False)
    if setting in {FLASH_ATTENTION, KV_TYPE}:
        return Job(prompt_tokens=DEEP_TOKENS, depth_tokens=DEEP_TOKENS, batched=False)
    fresh = incumbent.repack != challenger.repack
    if setting != CONFIRM:
        return Job(fresh=fresh)
    deep = DEEP_TOKENS if incumbent.flash_attention != challenger.flash_attention else 0
    longest = max(incumbent.batch_tokens, challenger.batch_tokens, Job().prompt_tokens, deep)
    return Job(prompt_tokens=max(longest, deep), depth_tokens=deep, fresh=fresh)
