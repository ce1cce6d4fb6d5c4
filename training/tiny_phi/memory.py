"""Exchanges that depend on an earlier turn: something told and asked back, a follow-up question, a repetition."""

from __future__ import annotations

from dataclasses import dataclass

from training.tiny_phi.messages import Message, assistant, user


@dataclass(frozen=True, slots=True)
class Topic:
    """Something a person tells about themselves; ``{}`` stands for the value."""

    key: str
    told: str
    reply: str
    asked: str
    answer: str
    unknown: str
    values: tuple[str, ...]


# fmt: off
NAMES = (
    "Ada", "Bob", "Mia", "Zoë", "Tom", "Eve", "Carlos", "Dana", "Emil", "Fatima", "Greta", "Hugo", "Ines", "Jan",
    "Kim", "Lars", "Maria", "Nina", "Omar", "Paul", "Quinn", "Rosa", "Sam", "Tina", "Uma", "Vera", "Will", "Yuki",
    "Zara", "Anna", "Ben", "Clara", "David", "Elena", "Felix", "Georg", "Hanna", "Igor", "Julia", "Kofi", "Liam",
    "Marta", "Noah", "Olga", "Peter", "Robin", "Sofia", "Theo", "Ulla", "Victor", "Alice", "John", "Mary", "Max",
    "Leo", "Lucy", "Anton", "Bianca", "Chen", "Dora",
)
# fmt: on
COLOURS = ("green", "red", "blue", "yellow", "purple", "orange", "black", "white", "pink", "brown")
ANIMALS = ("cats", "dogs", "horses", "birds", "fish", "bees", "owls", "mice", "bears", "snakes")

TOPICS = (
    Topic(
        "name",
        "My name is {}.",
        "Nice to meet you, {}!",
        "What is my name?",
        "Your name is {}.",
        "You have not told me your name.",
        NAMES,
    ),
    Topic(
        "colour",
        "My favourite colour is {}.",
        "I will remember that you like {}.",
        "What is my favourite colour?",
        "Your favourite colour is {}.",
        "You have not told me your favourite colour.",
        COLOURS,
    ),
    Topic(
        "animal",
        "I like {}.",
        "Who does not like {}?",
        "Which animals do I like?",
        "You like {}.",
        "You have not told me which animals you like.",
        ANIMALS,
    ),
)

REPEAT = "Say that again."


def tell(topic: Topic, value: str) -> tuple[Message, Message]:
    """The user tells something and the model takes note."""
    return user(topic.told.format(value)), assistant(topic.reply.format(value))


def ask(topic: Topic, value: str | None) -> tuple[Message, Message]:
    """The user asks it back; ``None`` where it was never told."""
    return user(topic.asked), assistant(topic.unknown if value is None else topic.answer.format(value))
