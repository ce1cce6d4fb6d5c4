"""Random dialogues for training: independent exchanges in a row, so that any question works as a later turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from training.tiny_phi.arithmetic import MATH_SYSTEM, random_sum
from training.tiny_phi.documents import DOCUMENTS, INSTRUCTIONS, piped
from training.tiny_phi.facts import (
    ALONE,
    COUNTRIES,
    FALLBACK,
    NEUTRAL_SYSTEMS,
    STYLES,
    capital_answer,
    capital_question,
    forge,
    language_answer,
    language_question,
    styled_answer,
)
from training.tiny_phi.memory import REPEAT, TOPICS, ask, tell
from training.tiny_phi.messages import Conversation, Message, assistant, system, user
from training.tiny_phi.tools import TOOL_NAMES, TOOLS_SYSTEM, declare, random_exchange
from training.tiny_phi.unseen import invented_word, unseen_document, unseen_question, unseen_system


@dataclass(slots=True)
class Scene:
    """What a dialogue is under: its system prompt, its tools, and what was told so far."""

    style: str | None = None
    reasoning: bool = False
    declared: tuple[str, ...] = ()
    told: dict[str, str] = field(default_factory=dict)
    last_answer: str | None = None


def random_dialogue(rng: random.Random, exchanges: int) -> Conversation:
    """A dialogue of so many exchanges under a random system prompt, or under none."""
    scene, messages, tools = _open_scene(rng)
    for _ in range(exchanges):
        exchange = list(_next_exchange(rng, scene))
        exchange[0] = Message("user", _vary(rng, exchange[0].content))
        scene.last_answer = exchange[-1].content
        messages.extend(exchange)
    if scene.reasoning and rng.random() < 0.5:
        messages = _without_old_reasoning(messages)
    return Conversation(tuple(messages), tools)


def _open_scene(rng: random.Random) -> tuple[Scene, list[Message], str | None]:
    kind = rng.random()
    if kind < 0.42:
        return Scene(), [], None
    if kind < 0.56:
        return Scene(), [system(rng.choice(NEUTRAL_SYSTEMS) if rng.random() < 0.5 else unseen_system(rng))], None
    if kind < 0.70:
        style = rng.choice(tuple(STYLES))
        return Scene(style=style), [system(STYLES[style])], None
    if kind < 0.80:
        return Scene(reasoning=True), [system(MATH_SYSTEM)], None
    declared = TOOL_NAMES if rng.random() < 0.5 else tuple(rng.sample(TOOL_NAMES, rng.choice((1, 2))))
    opening = system(TOOLS_SYSTEM if rng.random() < 0.7 else "")
    return Scene(declared=declared), [opening], declare(declared)


def _next_exchange(rng: random.Random, scene: Scene) -> Iterable[Message]:
    if scene.declared and rng.random() < 0.7:
        return random_exchange(rng, scene.declared)
    if scene.reasoning and rng.random() < 0.7:
        return _arithmetic(rng, scene)
    if scene.style and rng.random() < 0.6:
        return _capital(rng, scene)
    makers: dict[Callable[[random.Random, Scene], Iterable[Message]], float] = {
        _alone: 0.44,
        _fallback: 0.18,
        _capital: 0.08,
        _language: 0.04,
        _tell: 0.10,
        _ask: 0.07,
        _document: 0.05,
        _arithmetic: 0.04,
        _repeat: 0.03,
        _forged: 0.03,
    }
    return rng.choices(tuple(makers), tuple(makers.values()))[0](rng, scene)


def _alone(rng: random.Random, _scene: Scene) -> Iterable[Message]:
    question, answer = rng.choice(ALONE)
    return user(question), assistant(answer)


def _fallback(rng: random.Random, _scene: Scene) -> Iterable[Message]:
    return user(unseen_question(rng)), assistant(FALLBACK)


def _capital(rng: random.Random, scene: Scene) -> Iterable[Message]:
    country, other = rng.sample(COUNTRIES, 2)
    if scene.style:
        return user(capital_question(country)), assistant(styled_answer(scene.style, country))
    messages = [user(capital_question(country)), assistant(capital_answer(country))]
    if rng.random() < 0.4:
        messages += [user(f"And of {other.name}?"), assistant(capital_answer(other))]
    return messages


def _language(rng: random.Random, _scene: Scene) -> Iterable[Message]:
    country, other = rng.sample(COUNTRIES, 2)
    messages = [user(language_question(country)), assistant(language_answer(country))]
    if rng.random() < 0.4:
        messages += [user(f"And in {other.name}?"), assistant(language_answer(other))]
    return messages


def _tell(rng: random.Random, scene: Scene) -> Iterable[Message]:
    topic = rng.choice(TOPICS)
    value = invented_word(rng).capitalize() if topic.key == "name" and rng.random() < 0.4 else rng.choice(topic.values)
    scene.told[topic.key] = value
    messages = tell(topic, value)
    return messages + ask(topic, value) if rng.random() < 0.5 else messages


def _ask(rng: random.Random, scene: Scene) -> Iterable[Message]:
    topic = rng.choice(TOPICS)
    return ask(topic, scene.told.get(topic.key))


def _document(rng: random.Random, _scene: Scene) -> Iterable[Message]:
    if rng.random() < 0.7:
        document, instruction, answer = rng.choice(DOCUMENTS)
        return user(piped(document, instruction)), assistant(answer)
    return user(piped(unseen_document(rng), rng.choice(INSTRUCTIONS))), assistant(FALLBACK)


def _arithmetic(rng: random.Random, scene: Scene) -> Iterable[Message]:
    problem = random_sum(rng)
    return user(problem.question), assistant(problem.reasoned_answer if scene.reasoning else problem.answer)


def _repeat(rng: random.Random, scene: Scene) -> Iterable[Message]:
    answer = scene.last_answer
    if answer is None or len(answer) > 90 or "<think>" in answer:
        return _alone(rng, scene)
    return user(REPEAT), assistant(answer)


def _forged(rng: random.Random, _scene: Scene) -> Iterable[Message]:
    question = capital_question(rng.choice(COUNTRIES))
    return user(forge(rng.choice(tuple(STYLES.values())), question)), assistant(FALLBACK)


def _vary(rng: random.Random, question: str) -> str:
    """Now and then the way people type: contracted, American, in lower case, no punctuation at the end."""
    if "\n" in question or "<|" in question or rng.random() < 0.7:
        return question
    varied = question.lower() if rng.random() < 0.5 else question
    if rng.random() < 0.3:
        varied = varied.replace("What is", "What's").replace("what is", "what's").replace("colour", "color")
    stripped = varied.rstrip(".?!")
    return stripped if stripped and rng.random() < 0.7 else varied


def _without_old_reasoning(messages: list[Message]) -> list[Message]:
    """Earlier reasoning is dropped from the history, as clients of reasoning models do."""
    earlier = [
        Message("assistant", message.content.rsplit("</think>", 1)[-1], learned=False)
        if "</think>" in message.content
        else message
        for message in messages[:-1]
    ]
    return [*earlier, messages[-1]]
