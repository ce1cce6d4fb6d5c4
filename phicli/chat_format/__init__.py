"""Prompt formats: a conversation to the segments of a prompt, and the streamed answer back to its parts.

A new format needs its name in ``catalog/types.py`` (``PROMPT_FORMATS``), a case below, and a rule in
``plan/identify.py`` for files that the catalog does not know.
"""

from __future__ import annotations

from phicli.catalog.types import PROMPT_FORMATS
from phicli.chat_format.types import PromptFormat

FORMAT_NAMES = (*PROMPT_FORMATS, "plain")


def format_by_name(name: str, *, reasoning: bool = False, always_reasons: bool = False) -> PromptFormat:
    """The format that the catalog calls ``name``.

    Args:
        name: one of ``FORMAT_NAMES``. The template of a file needs the engine: see ``file_template.FileTemplate``.
        reasoning: the variant writes ``<think>…</think>`` before its answer; ignored by the base models' formats.
        always_reasons: it does so before each answer, so a missing tag does not make reasoning an answer; ignored by
            formats that are not of one family.

    Raises:
        ValueError: there is no such format (a mistake in the catalog).
    """
    from phicli.chat_format.completion import Completion, QuestionAnswer
    from phicli.chat_format.phi3 import Phi3
    from phicli.chat_format.phi4 import Phi4
    from phicli.chat_format.phi4_mini import Phi4Mini
    from phicli.chat_format.plain import Plain

    match name:
        case "phi-3" | "phi-3-folded":
            return Phi3(folded=name == "phi-3-folded", reasoning=reasoning, always_reasons=always_reasons)
        case "phi-4":
            return Phi4(reasoning=reasoning, always_reasons=always_reasons)
        case "phi-4-mini":
            return Phi4Mini(reasoning=reasoning, always_reasons=always_reasons)
        case "completion":
            return Completion()
        case "completion-qa":
            return QuestionAnswer()
        case "plain":
            return Plain(reasoning=reasoning)
    raise ValueError(f"unknown prompt format {name!r}; the formats are {', '.join(FORMAT_NAMES)}")
