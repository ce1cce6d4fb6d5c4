"""Texts to generate, for what depends on the text: speculation drafts what has occurred before.

They are answers to questions in the prompt format of ``phi chat``: after random tokens, or a text without a question,
small models repeat themselves, and repetitions are easy to draft. Each repetition has another question, because
``ngram-mod`` remembers what it has generated.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import Final

from phicli.answering.encode import encode
from phicli.answering.model_file import bos_id_of, format_of, special_tokens_of
from phicli.bench.launch import BenchEngine
from phicli.bench.quality.text import passage
from phicli.catalog.load import catalog
from phicli.chat_format.types import Message, Segment
from phicli.errors import TemplateError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.plan.identify import PLAIN, FormatChoice, choose_format
from phicli.records.run import Subject
from phicli.records.workload_texts import COPY

_STEP: Final = 61
_COPY: Final = "Repeat this text word for word, but write Doctor instead of Captain:"
_TOPICS: Final = (
    "bread", "lighthouses", "bicycles", "rivers", "bees", "clocks", "bridges", "tea", "maps", "snow", "libraries",
    "whales",
)  # fmt: skip
_NEW: Final = (
    "Write a short story about {}.",
    "What should everybody know about {}?",
    "Write a letter to a friend about {}.",
    "Explain the history of {}.",
)


def question(text: str, generated_tokens: int, repetition: int) -> str:
    """What the model is asked, so that the answer has at least ``generated_tokens``.

    Args:
        text: a key of :data:`~phicli.records.workload_texts.TEXTS`.
        generated_tokens: at most :data:`~phicli.records.workload_texts.MOST_TEXT_TOKENS`.
        repetition: from 0; the questions about something new come again after 48.
    """
    if text == COPY:
        words = passage().split()
        first = repetition * _STEP % len(words)
        return f"{_COPY}\n\n{' '.join(islice(cycle(words), first, first + generated_tokens))}"
    turn, topic = divmod(repetition, len(_TOPICS))
    return _NEW[(turn + topic) % len(_NEW)].format(_TOPICS[topic % len(_TOPICS)])


def prompt_of(asked: str, engine: BenchEngine, subject: Subject) -> tuple[int, ...]:
    """The ids of the question ``asked`` in the prompt format of ``subject``, which ``engine`` has loaded.

    Raises:
        EngineError: the engine failed.
        IntegrityError: the vocabulary lacks a token of the format.
    """
    header = read_header(subject.path)
    segments = _rendered(asked, engine, subject, header)
    return encode(segments, engine, special_tokens_of(header), bos_id=bos_id_of(header))


def _rendered(asked: str, engine: BenchEngine, subject: Subject, header: GgufHeader) -> tuple[Segment, ...]:
    choice = choose_format(header, catalog().variant(subject.variant_id) if subject.variant_id else None)
    messages = [Message("user", asked)]
    try:
        return format_of(choice, engine).render(messages)
    except TemplateError:
        return format_of(FormatChoice(PLAIN, reasoning=False), engine).render(messages)
