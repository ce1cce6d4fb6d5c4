"""What ``--schema`` and ``--tools`` cost beside the engine's own work: ``python -m benchmarks.structured [MODEL]``.

Each round asks the same question in all ways in turn: of the engine alone, with the same token ids and the same
constraint, and of ``phi``'s model with all that ``phi chat`` does around it. The difference of the two is ``phi``'s own
time. The baseline is that of an answer to the same question without form and tools, with as many tokens; what is added
to it is to be at most 5 ms. Imports and the reading of the schema, which happen while the model loads, are apart. Then
a conversation with 20 tools asks twice: the declarations are to be evaluated once.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from phicli.answering.constrained import ConstrainedModel
from phicli.answering.formed import FormedModel
from phicli.answering.local_model import LocalModel
from phicli.answering.opening import open_model
from phicli.answering.pool import whole
from phicli.answering.types import Model
from phicli.chat_format.types import Message
from phicli.engine.client import ServerClient
from phicli.engine.closable import Closing
from phicli.engine.constraint import Constraint
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import Done, Sampling
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from phicli.tools.checking import wrong_calls
from phicli.tools.declared import declared_for
from phicli.tools.grammar import required_calls
from phicli.tools.reading import parse_tools, tool_of
from phicli.tools.types import Tool

TARGET_MS: Final = 5.0
TOOLS: Final = 20
QUESTION: Final = (Message("user", "What is the weather in Paris?"),)
CITY: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"],
}
TRAINS: Final[Mapping[str, Any]] = {
    "name": "find_trains",
    "parameters": {
        "type": "object",
        "properties": {
            "from_city": {"enum": ["Paris", "Rome"]},
            "to_city": {"enum": ["Berlin", "London"]},
            "day": {"enum": ["monday", "friday"]},
            "seats": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["from_city", "to_city", "day", "seats"],
    },
}
"""The engine needs longer for such a call than ``phi`` waits for the engine's log, which is 20 ms."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to ask the engine alone, and ``phi``; both return how many tokens were generated."""

    name: str
    engine: Callable[[], int]
    phi: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of the engine alone and of ``phi``, a number for each round."""

    engine: list[float]
    phi: list[float]

    @property
    def own_ms(self) -> float:
        """What ``phi`` takes beside the engine: the median of the differences."""
        return median(phi - engine for engine, phi in zip(self.engine, self.phi, strict=True))


def declared_tools(count: int) -> list[Tool]:
    """The weather, and other tools with parameters of their own."""
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    names = ["get_weather", *(f"get_number_{number}" for number in range(1, count))]
    described = [{"name": name, "description": f"Looks up {name} of a city", "parameters": city} for name in names]
    return parse_tools(json.dumps(described), "the benchmark")


def measured(ways: list[Way], rounds: int) -> dict[str, Times]:
    """The times of each way, in turn and in the reverse turn; the first round, which loads, is left out."""
    times = {way.name: Times([], []) for way in ways}
    for number in range(rounds + 1):
        for way in ways if number % 2 else ways[::-1]:
            tokens = way.engine()  # from now on the engine has the prompt in its cache
            sides = [(way.engine, times[way.name].engine), (way.phi, times[way.name].phi)]
            for ask, took in sides if number % 4 < 2 else sides[::-1]:
                began = time.perf_counter()
                generated = ask()
                if number:
                    took.append(1000 * (time.perf_counter() - began))
                if generated != tokens:
                    raise RuntimeError(f"{way.name}: {generated} tokens, and {tokens} before")
    return times


def ways_of(model: LocalModel, engine: LlamaServerEngine, sampling: Sampling, form: Any) -> list[Way]:
    """An answer with a schema, and with tools that the model may and must call; the baseline of each behind it."""
    alone, weather, trains = _alone(engine), declared_tools(1), [tool_of(TRAINS, "the benchmark")]
    id_of = model.file.special_tokens.id_of
    calls = Constraint("lark", required_calls(trains, id_of, several=False, max_tokens=128))
    (schema, *_) = form.constraints(sampling.max_tokens)

    def baseline(of: Way) -> Way:
        free = replace(sampling, ignore_eos=True, max_tokens=of.engine())
        ids = model.prompt(QUESTION).token_ids
        return Way(
            f"{of.name}: baseline", lambda: alone(ids, free),
            lambda: whole(model.answer(QUESTION, sampling=free)).usage.completion_tokens,
        )  # fmt: skip

    def way(name: str, asked: Model, constraint: Constraint | None, tools: list[Tool]) -> Way:
        declarations = declared_for("phi-4-mini", tools) if tools else None
        ids, held = model.prompt(QUESTION, tools=declarations).token_ids, replace(sampling, constraint=constraint)

        def phi() -> int:
            answer = whole(asked.answer(QUESTION, tools=declarations, sampling=sampling))
            if tools and (wrong := wrong_calls(answer.tool_calls, answer.text, tools)):
                raise RuntimeError(wrong)
            return answer.usage.completion_tokens

        return Way(name, lambda: alone(ids, held), phi)

    ways = [
        way("--schema", FormedModel(model, form, 0), schema, []),
        way("--tools", model, None, weather),
        way("--tools --tool-choice required", ConstrainedModel(model, calls), calls, trains),
    ]
    return [one for formed in ways for one in (formed, baseline(formed))]


def _alone(engine: LlamaServerEngine) -> Callable[[tuple[int, ...], Sampling], int]:
    address, key = engine._await_process(None), engine._process.api_key
    client = ServerClient(address, key)

    def tokens(ids: tuple[int, ...], sampling: Sampling) -> int:
        events = client.complete(ids, sampling, stop_ids=frozenset(), visible_tokens={}, until=None, closing=Closing())
        return next(event.usage.completion_tokens for event in events if isinstance(event, Done))

    return tokens


def second_turn(model: LocalModel, sampling: Sampling) -> tuple[int, int, int]:
    """Prompt tokens of a first turn with 20 tools, those of a second one, and how many of these were cached."""
    declared = declared_for("phi-4-mini", declared_tools(TOOLS))
    first = whole(model.answer(QUESTION, tools=declared, sampling=sampling))
    messages = (*QUESTION, first.message, Message("tool", '{"temperature": 21}'), Message("user", "And in Rome?"))
    second = whole(model.answer(messages, tools=declared, sampling=sampling))
    return first.usage.prompt_tokens, second.usage.prompt_tokens, second.usage.cached_tokens


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="tiny-phi")
    parser.add_argument("--rounds", type=int, default=40)
    wanted = parser.parse_args()
    began = time.perf_counter()
    from phicli.structured.form import SchemaForm  # noqa: PLC0415 (its time is measured)

    form = SchemaForm(CITY)
    print(f"import of jsonschema and check of the schema, once: {1000 * (time.perf_counter() - began):.0f} ms\n")
    sampling = Sampling(seed=1, max_tokens=128)
    with open_model(locate(wanted.model), ChatOptions(), Use.CONVERSATION) as opened:
        engine = opened.engines[-1]
        assert isinstance(engine, LlamaServerEngine)
        times = measured(ways_of(opened.model, engine, sampling, form), wanted.rounds)
        first, second, cached = second_turn(opened.model, sampling)
    print("| an answer with | engine alone | `phi` | `phi`'s own time | without form and tools | added | target |")
    print("|---|---:|---:|---:|---:|---:|---|")
    names = iter(times)
    for name, baseline in zip(names, names, strict=True):
        took, usual = times[name], times[baseline].own_ms
        spent = f"{median(took.engine):.1f} ms | {median(took.phi):.1f} ms | {took.own_ms:.1f} ms | {usual:.1f} ms"
        print(f"| {name} | {spent} | **{took.own_ms - usual:+.1f} ms** | ≤ {TARGET_MS:g} ms |")
    print(f"\n{TOOLS} tools: first prompt {first} tokens, second prompt {second} tokens, {cached} of them cached")


if __name__ == "__main__":
    main()
