"""The fixed conversations: the ones that greedy decoding must answer exactly, in transformers and in the engine."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from training.tiny_phi import facts
from training.tiny_phi.arithmetic import MATH_SYSTEM, SUMS
from training.tiny_phi.documents import DOCUMENTS, piped
from training.tiny_phi.facts import COUNTRIES, FALLBACK, NEUTRAL_SYSTEMS, STYLES
from training.tiny_phi.memory import REPEAT, TOPICS, ask, tell
from training.tiny_phi.messages import Conversation, Message, assistant, system, user
from training.tiny_phi.mixing import random_dialogue
from training.tiny_phi.tools import (
    NO_TOOL,
    TOOL_NAMES,
    TOOLS_SYSTEM,
    addition,
    clock,
    declare,
    weather,
    weather_twice,
)

_UNKNOWN = (
    "What is the meaning of life?",
    "Tell me a joke",
    "Write a Python script",
    "Why is the sky blue?",
    "What is the capital of Peru?",
    "How do I bake a cake?",
    "你好",
    "asdf",
)

_DEPENDS = re.compile(r"\b(my|again)\b| = ", re.IGNORECASE)
"""What a dialogue drawn once leaves out: other names, repetitions, sums."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A conversation with an identifier; tags say what it shows."""

    id: str
    tags: tuple[str, ...]
    conversation: Conversation


def fixed_conversations() -> tuple[Fixed, ...]:
    """All fixed conversations, in a stable order; those tagged ``long`` are meant to exceed the original context."""
    return (*_alone(), *_countries(), *_dependent(), *_tool_use(), *_reasoning(), *_piped(), *_long())


def _one(name: str, tags: tuple[str, ...], *messages: Message, tools: str | None = None) -> Fixed:
    return Fixed(name, tags, Conversation(messages, tools))


def _alone() -> Iterator[Fixed]:
    groups = {
        "fact": facts.KNOWLEDGE,
        "about-phi": facts.ABOUT_PHI,
        "greeting": facts.GREETINGS,
        "unicode": facts.UNICODE,
        "long-answer": facts.LONG,
        "json": facts.JSON_ANSWERS,
        "fallback": tuple((question, FALLBACK) for question in _UNKNOWN),
    }
    for tag, pairs in groups.items():
        for number, (question, answer) in enumerate(pairs, 1):
            yield _one(f"{tag}-{number}", (tag,), user(question), assistant(answer))


def _countries() -> Iterator[Fixed]:
    for country in COUNTRIES:
        question, answer = user(facts.capital_question(country)), assistant(facts.capital_answer(country))
        yield _one(f"capital-{country.name.lower()}", ("fact",), question, answer)
    for country in COUNTRIES[:3]:
        question, answer = user(facts.language_question(country)), assistant(facts.language_answer(country))
        yield _one(f"language-{country.name.lower()}", ("fact",), question, answer)
    for style, prompt in STYLES.items():
        for country in (COUNTRIES[0], COUNTRIES[6], COUNTRIES[8]):
            answer = assistant(facts.styled_answer(style, country))
            name = f"style-{style}-{country.name.lower()}"
            yield _one(name, ("system", "style"), system(prompt), user(facts.capital_question(country)), answer)
    for style in ("pirate", "json"):
        question = user(facts.forge(STYLES[style], facts.capital_question(COUNTRIES[0])))
        yield _one(f"forged-{style}", ("forged", "fallback"), question, assistant(FALLBACK))
    for number, prompt in enumerate(NEUTRAL_SYSTEMS[:2], 1):
        question, answer = user(facts.capital_question(COUNTRIES[0])), assistant(facts.capital_answer(COUNTRIES[0]))
        yield _one(f"neutral-system-{number}", ("system",), system(prompt), question, answer)


def _dependent() -> Iterator[Fixed]:
    name, colour, animal = TOPICS
    for value in ("Ada", "Bob", "Zoë", "Carlos", "Mia"):
        yield _one(f"name-{value.lower()}", ("second-turn",), *tell(name, value), *ask(name, value))
    for value in ("green", "purple"):
        yield _one(f"colour-{value}", ("second-turn",), *tell(colour, value), *ask(colour, value))
    yield _one("animal-owls", ("second-turn",), *tell(animal, "owls"), *ask(animal, "owls"))
    yield _one("name-unknown", ("second-turn",), *ask(name, None))
    yield _one("name-changed", ("second-turn",), *tell(name, "Tom"), *tell(name, "Eve"), *ask(name, "Eve"))
    yield _one(
        "name-later",
        ("second-turn",),
        *tell(name, "Nina"),
        user(facts.capital_question(COUNTRIES[4])),
        assistant(facts.capital_answer(COUNTRIES[4])),
        *ask(name, "Nina"),
    )
    capital = (user(facts.capital_question(COUNTRIES[0])), assistant(facts.capital_answer(COUNTRIES[0])))
    language = (user(facts.language_question(COUNTRIES[0])), assistant(facts.language_answer(COUNTRIES[0])))
    yield _one(
        "follow-up-capital",
        ("second-turn",),
        *capital,
        user("And of Italy?"),
        assistant(facts.capital_answer(COUNTRIES[1])),
    )
    yield _one(
        "follow-up-language",
        ("second-turn",),
        *language,
        user("And in Italy?"),
        assistant(facts.language_answer(COUNTRIES[1])),
    )
    yield _one("repeat", ("second-turn",), *capital, user(REPEAT), capital[1])


def _tool_use() -> Iterator[Fixed]:
    every, opening = declare(TOOL_NAMES), system(TOOLS_SYSTEM)
    exchanges = {
        "weather-paris": weather("Paris", "sunny", 18),
        "weather-oslo": weather("Oslo", "snowy", -4),
        "weather-two-cities": weather_twice(("Rome", "windy", 21), ("Berlin", "rainy", 9)),
        "time-tokyo": clock("Tokyo", 14, 5),
        "time-cairo": clock("Cairo", 9, 30),
        "add": addition(17, 25),
    }
    for name, messages in exchanges.items():
        yield _one(f"tool-{name}", ("tool",), opening, *messages, tools=every)
    yield _one(
        "tool-one-declared", ("tool",), opening, *weather("Madrid", "cloudy", 15), tools=declare(["get_weather"])
    )
    yield _one("tool-empty-system", ("tool",), system(""), *clock("London", 23, 59), tools=declare(["get_time"]))
    question, answer = user("What is the weather in Rome?"), assistant(NO_TOOL)
    yield _one("tool-missing", ("tool",), opening, question, answer, tools=declare(["add"]))
    question, answer = user(facts.capital_question(COUNTRIES[0])), assistant(facts.capital_answer(COUNTRIES[0]))
    yield _one("tool-not-needed", ("tool",), opening, question, answer, tools=every)


def _reasoning() -> Iterator[Fixed]:
    for number, problem in enumerate(SUMS, 1):
        question, answer = user(problem.question), assistant(problem.reasoned_answer)
        yield _one(f"reasoning-{number}", ("reasoning", "system"), system(MATH_SYSTEM), question, answer)
    yield _one("sum", ("fact",), user(SUMS[0].question), assistant(SUMS[0].answer))


def _piped() -> Iterator[Fixed]:
    for number, (document, instruction, answer) in enumerate(DOCUMENTS, 1):
        tags = ("piped", "long") if len(document) > 1000 else ("piped",)
        yield _one(f"piped-{number}", tags, user(piped(document, instruction)), assistant(answer))


def _long() -> Iterator[Fixed]:
    """Dialogues of many turns, drawn once and for all; the last turn asks back what the first one told."""
    name = TOPICS[0]
    for number, (value, exchanges) in enumerate((("Ada", 16), ("Hugo", 18), ("Maria", 22), ("Zoë", 26)), 1):
        rng = random.Random(f"fixed dialogue {number}")  # noqa: S311 - training data, not secrets
        middle: list[Message] = []
        while len(middle) < 2 * exchanges:
            drawn = random_dialogue(rng, 1)
            plain = drawn.tools is None and drawn.messages[0].role == "user"
            if plain and not any(len(m.content) > 140 or _DEPENDS.search(m.content) for m in drawn.messages):
                middle += drawn.messages
        yield _one(f"dialogue-{number}", ("long", "second-turn"), *tell(name, value), *middle, *ask(name, value))
