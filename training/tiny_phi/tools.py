"""Tools that tiny-phi can call: a declaration, a call, the tool's result, and an answer made of that result."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from training.tiny_phi.messages import Message, assistant, user

TOOLS_SYSTEM = "You are a helpful assistant with some tools."

_DECLARATIONS: dict[str, dict[str, object]] = {
    "get_weather": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"city": {"type": "str"}},
    },
    "get_time": {"name": "get_time", "description": "The time in a city", "parameters": {"city": {"type": "str"}}},
    "add": {
        "name": "add",
        "description": "The sum of two numbers",
        "parameters": {"a": {"type": "int"}, "b": {"type": "int"}},
    },
}

TOOL_NAMES = tuple(_DECLARATIONS)
CITIES = (
    "Paris",
    "Rome",
    "Madrid",
    "Berlin",
    "Tokyo",
    "Lisbon",
    "Athens",
    "Oslo",
    "Cairo",
    "Warsaw",
    "Vienna",
    "London",
    "Boston",
    "Seattle",
    "Dublin",
    "Lima",
    "Delhi",
    "Geneva",
    "Prague",
    "Zürich",
)
SKIES = ("sunny", "cloudy", "rainy", "windy", "foggy", "snowy")
NO_TOOL = "I have no tool for that."


def declare(names: Sequence[str]) -> str:
    """The JSON text that declares some of the tools."""
    return json.dumps([_DECLARATIONS[name] for name in names])


def weather(city: str, sky: str, celsius: int) -> tuple[Message, ...]:
    """The user asks for the weather; the tool says it."""
    return (
        user(f"What is the weather in {city}?"),
        Message("assistant", "", (("get_weather", {"city": city}),)),
        Message("tool", json.dumps({"sky": sky, "celsius": celsius})),
        assistant(f"It is {sky} in {city}, at {celsius} degrees."),
    )


def weather_twice(first: tuple[str, str, int], second: tuple[str, str, int]) -> tuple[Message, ...]:
    """Two calls in one message, and two results; each argument is city, sky, degrees."""
    return (
        user(f"What is the weather in {first[0]} and in {second[0]}?"),
        Message("assistant", "", (("get_weather", {"city": first[0]}), ("get_weather", {"city": second[0]}))),
        Message("tool", json.dumps({"sky": first[1], "celsius": first[2]})),
        Message("tool", json.dumps({"sky": second[1], "celsius": second[2]})),
        assistant(f"It is {first[1]} in {first[0]} and {second[1]} in {second[0]}."),
    )


def clock(city: str, hour: int, minute: int) -> tuple[Message, ...]:
    """The user asks for the time; the tool says it."""
    time = f"{hour:02d}:{minute:02d}"
    return (
        user(f"What time is it in {city}?"),
        Message("assistant", "", (("get_time", {"city": city}),)),
        Message("tool", json.dumps({"time": time})),
        assistant(f"It is {time} in {city}."),
    )


def addition(first: int, second: int) -> tuple[Message, ...]:
    """The user asks for a sum; the tool computes it."""
    return (
        user(f"Use your tool to add {first} and {second}."),
        Message("assistant", "", (("add", {"a": first, "b": second}),)),
        Message("tool", json.dumps({"result": first + second})),
        assistant(f"The sum of {first} and {second} is {first + second}."),
    )


def random_exchange(rng: random.Random, declared: Sequence[str]) -> tuple[Message, ...]:
    """One exchange with random arguments; where the tool it needs is not declared, the answer says so."""
    name = rng.choice(TOOL_NAMES)
    if name == "get_weather":
        city, other = rng.sample(CITIES, 2)
        messages = weather(city, rng.choice(SKIES), rng.randint(-9, 39))
        if rng.random() < 0.25:
            messages = weather_twice(
                (city, rng.choice(SKIES), rng.randint(-9, 39)), (other, rng.choice(SKIES), rng.randint(-9, 39))
            )
    elif name == "get_time":
        messages = clock(rng.choice(CITIES), rng.randrange(24), rng.randrange(60))
    else:
        messages = addition(rng.randint(1, 99), rng.randint(1, 99))
    return messages if name in declared else (messages[0], assistant(NO_TOOL))
