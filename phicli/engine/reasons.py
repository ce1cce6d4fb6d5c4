"""What an engine's log says about a failure, and what to do about that."""

from __future__ import annotations

import re
from typing import Final

from phicli.errors import THIS_COMMAND

_GET_AGAIN: Final = f"the file is truncated or damaged: download it again; check the engine: {THIS_COMMAND} tiny-phi"
_OTHER_FILE: Final = "try another file of the model, or another build of the engine: "
_UNKNOWN_ARCHITECTURE: Final = "unknown model architecture"

_COMPLAINT: Final = re.compile(r"^(?:[\d.]+ E )?(?P<reason>(?<= E ).+|error\b.+)$")  # those about options have no mark
_LAST_WORDS: Final = (
    re.compile(r"^\S+:\d+: (?P<reason>.+)$"),  # an assertion of ggml
    re.compile(r"^\s+what\(\):\s+(?P<reason>.+)$"),  # an exception that nobody caught
    re.compile(r"^(?P<reason>[\w.]*(?:Error|Exception): .+)$"),  # one of Python
)
_CUT: Final = ("not within the file bounds", "magic", "corrupted", "failed to read")
_MEMORY: Final = ("failed to allocate", "insufficient memory", "create context")
_OTHER_BUILD: Final = (
    "unknown pre-tokenizer", "unknown tokenizer", "cannot find tokenizer", "key not found",
    "wrong shape", "wrong type", "wrong number of tensors", "invalid ggml type", "' not found", "chat_template",
)  # fmt: skip


def first_reason(log: str) -> str:
    """The first error of a log, which is the reason, else the words that a crash ends with; empty without any."""
    lines = log.splitlines()
    for pattern in (_COMPLAINT, *_LAST_WORDS):
        for line in lines:
            if found := pattern.match(line):
                return found["reason"].strip()
    return ""


def is_of_memory(reason: str) -> bool:
    """Whether the engine found no memory."""
    return any(words in reason for words in _MEMORY)


def advice(reason: str, *, too_old: str, other_build: str, otherwise: str) -> str:
    """What to do about a failure that is not one of memory.

    Only where bytes are missing or wrong the same file, downloaded again, may load.

    Args:
        reason: the engine's own words.
        too_old: what to do where the engine does not know the architecture.
        other_build: the command that gets or uses another build of the engine.
        otherwise: what to do about any other reason.
    """
    if _UNKNOWN_ARCHITECTURE in reason:
        return too_old
    if any(words in reason for words in _CUT):
        return _GET_AGAIN
    return f"{_OTHER_FILE}{other_build}" if any(words in reason for words in _OTHER_BUILD) else otherwise
