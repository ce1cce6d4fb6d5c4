"""Kinds of instructions for ``benchmarks.make_evals``: a question, what a program verifies, and a reply that is right.

Each kind is asked twice, with other words: the second argument of a maker is 0 the first time and 1 the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

Check = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Instruction:
    """What is asked, the checks of the reply (see ``phicli.bench.evaluation.checks``), and a reply that is right."""

    question: str
    checks: tuple[Check, ...]
    example: str


def _words(r: Random, turn: int) -> Instruction:
    topic, example = [("the sea", "Deep, blue and endless water"), ("winter", "Cold, white and quiet days")][turn]
    count = r.randint(3, 5)
    return Instruction(
        f"Describe {topic} in exactly {['three', 'four', 'five'][count - 3]} words. Write nothing else.",
        ({"check": "words", "exactly": count},),
        " ".join(example.split()[:count]),
    )


def _capitals(_: Random, turn: int) -> Instruction:
    what, example = [("a fruit", "AN APPLE IS ROUND."), ("an animal", "A HORSE RUNS FAST.")][turn]
    return Instruction(
        f"Write one sentence about {what}, in capital letters only.",
        ({"check": "upper"}, {"check": "words", "at_least": 3}),
        example,
    )


def _small(_: Random, turn: int) -> Instruction:
    what, example = [("the moon", "the moon is far away."), ("a river", "a river runs to the sea.")][turn]
    return Instruction(
        f"Write one sentence about {what} without any capital letters.",
        ({"check": "lower"}, {"check": "words", "at_least": 3}),
        example,
    )


def _object(_: Random, turn: int) -> Instruction:
    keys = [("name", "age"), ("title", "author", "year")][turn]
    what, example = [
        ("an invented person", '{"name": "Mara", "age": 31}'),
        ("an invented book", '{"title": "Tides", "author": "Mara Linn", "year": 1999}'),
    ][turn]
    listed = ", ".join(keys[:-1]) + f" and {keys[-1]}"
    return Instruction(
        f"Describe {what} as a JSON object with the keys {listed} and no others. Reply with the JSON only.",
        ({"check": "json_keys", "keys": list(keys)},),
        example,
    )


def _array(_: Random, turn: int) -> Instruction:
    what, example = [
        ("colours", '["red", "blue", "green", "grey", "pink"]'),
        ("rivers", '["Nile", "Rhine", "Ganges"]'),
    ][turn]
    count = [5, 3][turn]
    return Instruction(
        f"Reply with a JSON array of exactly {count} {what}, as strings, and nothing else.",
        ({"check": "json_array", "exactly": count},),
        example,
    )


def _letter(_: Random, turn: int) -> Instruction:
    letter, topic, example = [
        ("e", "a dog", "A small dog runs around my yard."),
        ("a", "music", "Music lifts our spirits every morning."),
    ][turn]
    return Instruction(
        f"Write a sentence of at least five words about {topic} in which the letter {letter} does not occur.",
        ({"check": "without", "text": letter}, {"check": "words", "at_least": 5}),
        example,
    )


def _beginning(r: Random, turn: int) -> Instruction:
    start = r.choice(["In short:", "Dear reader,", "Answer:", "Listen:"])
    topic = ["why people sleep", "what a library is for"][turn]
    return Instruction(
        f"Say in one sentence {topic}. Your reply must begin with the exact words: {start}",
        ({"check": "begins", "text": start}, {"check": "words", "at_least": 5}),
        f"{start} it does people good.",
    )


def _ending(r: Random, turn: int) -> Instruction:
    end = r.choice(["That is all.", "Over and out.", "Good night.", "End of message."])
    topic = ["the weather in autumn", "the life of a cat"][turn]
    return Instruction(
        f"Write two sentences about {topic}. After them, finish your reply with the exact words: {end}",
        ({"check": "ends", "text": end}, {"check": "words", "at_least": 8}),
        f"It changes every day. It is never quite dull. {end}",
    )


def _bullets(r: Random, turn: int) -> Instruction:
    what = ["things to pack for a hike", "ways to save water"][turn]
    count = r.randint(3, 6)
    return Instruction(
        f"List {what}: exactly {count} lines, each beginning with a hyphen and a space. Write no other lines.",
        ({"check": "lines", "exactly": count}, {"check": "lines_begin", "text": "- "}),
        "\n".join(f"- number {place}" for place in range(count)),
    )


def _numbered(r: Random, turn: int) -> Instruction:
    what = ["how to make tea", "how to plant a tree"][turn]
    count = r.randint(3, 5)
    return Instruction(
        f"Explain {what} in exactly {count} numbered lines that begin with 1., 2. and so on. Write no other lines.",
        ({"check": "lines", "exactly": count}, {"check": "numbered"}),
        "\n".join(f"{place}. Do the next thing." for place in range(1, count + 1)),
    )


def _paragraphs(_: Random, turn: int) -> Instruction:
    topic = ["the sun", "bread"][turn]
    count = [2, 3][turn]
    return Instruction(
        f"Write exactly {['two', 'three'][turn]} short paragraphs about {topic}, with an empty line between them.",
        ({"check": "paragraphs", "exactly": count},),
        "\n\n".join(f"This is paragraph {place}." for place in range(1, count + 1)),
    )


def _commas(r: Random, turn: int) -> Instruction:
    what, examples = [
        ("vegetables", "carrot, leek, onion, potato, spinach, bean, beet"),
        ("trees", "oak, elm, ash, pine, birch, maple, fir"),
    ][turn]
    count = r.randint(4, 7)
    return Instruction(
        f"Name exactly {count} {what}, separated by commas, on one line and without anything else.",
        ({"check": "parts", "by": ",", "exactly": count}, {"check": "lines", "exactly": 1}),
        ", ".join(examples.split(", ")[:count]),
    )


def _no_digits(_: Random, turn: int) -> Instruction:
    question, word = [
        ("How many days are in a week?", "seven"),
        ("How many legs does a spider have?", "eight"),
    ][turn]
    return Instruction(
        f"{question} Answer in a sentence that has no digits in it.",
        ({"check": "no_digits"}, {"check": "contains", "text": word, "word": True}),
        f"There are {word} of them.",
    )


def _digits(_: Random, turn: int) -> Instruction:
    question, answer = [("How many minutes are in two hours?", "120"), ("How many months are in three years?", "36")][
        turn
    ]
    return Instruction(
        f"{question} Reply with digits only: no words, no units, no punctuation.",
        ({"check": "digits"}, {"check": "equals", "text": answer}),
        answer,
    )


def _one_word(_: Random, turn: int) -> Instruction:
    question, right = [("Is ice warmer than steam?", "no"), ("Is a whale a mammal?", "yes")][turn]
    return Instruction(
        f"{question} Reply with only the word yes or the word no.",
        ({"check": "equals", "text": [right, f"{right}."]},),
        right.capitalize(),
    )


def _initials(r: Random, turn: int) -> Instruction:
    letter, example = [("b", "big brown bears bake bread"), ("s", "seven small ships sail south")][turn]
    count = r.randint(3, 5)
    return Instruction(
        f"Write exactly {count} words that all begin with the letter {letter}, separated by spaces, and nothing else.",
        ({"check": "words", "exactly": count}, {"check": "words_begin", "text": letter}),
        " ".join(example.split()[:count]),
    )


def _lengths(_: Random, turn: int) -> Instruction:
    letters, example = [(4, "tree moon lamp"), (5, "house river plant")][turn]
    return Instruction(
        f"Write three English words of exactly {letters} letters each, separated by spaces, and nothing else.",
        ({"check": "words", "exactly": 3}, {"check": "words_have", "exactly": letters}),
        example,
    )


def _short(r: Random, turn: int) -> Instruction:
    what = ["what an umbrella is for", "what a bridge is for"][turn]
    most = 10 * r.randint(5, 8)
    return Instruction(
        f"Say {what} in one sentence of at most {most} characters, spaces included.",
        ({"check": "characters", "at_most": most}, {"check": "words", "at_least": 3}),
        "It helps people who are out.",
    )


def _long(r: Random, turn: int) -> Instruction:
    topic = ["a walk in the forest", "a day at the market"][turn]
    least = 10 * r.randint(6, 9)
    return Instruction(
        f"Write about {topic} in at least {least} words, as a single paragraph.",
        ({"check": "words", "at_least": least}, {"check": "paragraphs", "exactly": 1}),
        " ".join(["word"] * least),
    )


def _times(r: Random, turn: int) -> Instruction:
    word = ["garden", "window"][turn]
    count = r.randint(2, 4)
    return Instruction(
        f"Write a short text in which the word {word} occurs exactly {count} times.",
        ({"check": "contains", "text": word, "word": True, "exactly": count},),
        " ".join([f"The {word} is here."] * count),
    )


def _alphabet(r: Random, turn: int) -> Instruction:
    what, example = [("animals", "ant, bear, cow, duck, eagle"), ("countries", "Chad, Fiji, Iran, Peru, Togo")][turn]
    count = r.randint(3, 5)
    return Instruction(
        f"Name exactly {count} {what} in alphabetical order, separated by commas, and nothing else.",
        ({"check": "parts", "by": ",", "exactly": count}, {"check": "sorted", "by": ","}),
        ", ".join(example.split(", ")[:count]),
    )


def _wrapped(_: Random, turn: int) -> Instruction:
    begin, end, what = [("[[", "]]", "double square brackets"), ("<<", ">>", "double angle brackets")][turn]
    question = ["What is the capital of Italy?", "What is the capital of Japan?"][turn]
    answer = ["Rome", "Tokyo"][turn]
    return Instruction(
        f"{question} Put your whole reply between {what}, like this: {begin}reply{end}",
        (
            {"check": "begins", "text": begin},
            {"check": "ends", "text": end},
            {"check": "contains", "text": answer, "word": True},
        ),
        f"{begin}{answer}{end}",
    )


def _titles(_: Random, turn: int) -> Instruction:
    what = ["a novel about the sea", "a film about a lost key"][turn]
    return Instruction(
        f"Invent a title of three to six words for {what}. Begin every word with a capital letter. Reply with it only.",
        ({"check": "capitalised"}, {"check": "words", "at_least": 3, "at_most": 6}),
        ["The Waves Remember Us", "The Key Under Glass"][turn],
    )


def _no_commas(r: Random, turn: int) -> Instruction:
    topic = ["a busy street", "an old house"][turn]
    least = r.randint(15, 25)
    return Instruction(
        f"Describe {topic} in at least {least} words without using a single comma.",
        ({"check": "without", "text": ","}, {"check": "words", "at_least": least}),
        " ".join(["It is loud."] * 9),
    )


def _repeat(r: Random, _: int) -> Instruction:
    first = r.sample(["copper", "violet", "anchor", "meadow", "falcon", "ginger"], 4)
    text = " ".join(first)
    return Instruction(
        f"Repeat these words in reverse order, in small letters, with spaces between them and nothing else: {text}",
        ({"check": "equals", "text": " ".join(reversed(first))}, {"check": "lower"}),
        " ".join(reversed(first)),
    )


INSTRUCTIONS: Final[tuple[Callable[[Random, int], Instruction], ...]] = (
    _words, _capitals, _small, _object, _array, _letter, _beginning, _ending, _bullets, _numbered, _paragraphs, _commas,
    _no_digits, _digits, _one_word, _initials, _lengths, _short, _long, _times, _alphabet, _wrapped, _titles,
    _no_commas, _repeat,
)  # fmt: skip
