"""Training data for tests: good examples, and the ways in which they break."""

from __future__ import annotations

import io
import json
from typing import Any

from phicli.training_data.checking import Checking, CheckOptions, Counter
from phicli.training_data.findings import Finding
from phicli.training_data.report import Report
from phicli.training_data.services import service_called

GOOD: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "The capital of France is Paris."},
    ]
}
"""The example of the documents."""

DECLARED: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def called(name: str = "get_weather", known: str = "call_1", arguments: str = '{"city": "Paris"}') -> dict[str, Any]:
    return {"id": known, "type": "function", "function": {"name": name, "arguments": arguments}}


WITH_TOOLS: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [called()]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"temperature": 21}'},
        {"role": "assistant", "content": "It has 21 degrees."},
    ],
    "tools": DECLARED,
}

OF_THE_CARD: dict[str, Any] = {
    "messages": [
        {
            "role": "system",
            "content": "You are helpful.",
            "tools": '[{"name": "get_weather", "description": "Weather", '
            '"parameters": {"city": {"description": "The city", "type": "str"}}}]',
        },
        {"role": "user", "content": "What is the weather in Rome?"},
        {"role": "assistant", "tool_calls": [{"name": "get_weather", "arguments": {"city": "Rome"}}]},
        {"role": "tool", "content": "22"},
        {"role": "assistant", "content": "22 degrees."},
    ]
}

THINKING: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "What is 6 times 7?"},
        {"role": "assistant", "content": "<think>\n6 times 7 is 42.\n</think>\n\n42"},
        {"role": "user", "content": "And 6 times 8?"},
        {"role": "assistant", "content": "48", "reasoning_content": "6 times 8 is 48.", "weight": 1},
    ]
}


def line(example: Any) -> bytes:
    return json.dumps(example, ensure_ascii=False).encode() + b"\n"


def numbered(count: int, start: int = 0) -> list[bytes]:
    """So many good lines, all different."""
    made = []
    for number in range(start, start + count):
        question = {"role": "user", "content": f"What is {number} plus 1?"}
        made.append(line({"messages": [question, {"role": "assistant", "content": str(number + 1)}]}))
    return made


def checked(
    data: bytes, service: str | None = None, *, validation: bytes | None = None, own_keys: tuple[str, ...] = (),
    keep: int | None = None, counter: Counter | None = None,
) -> Report:  # fmt: skip
    checking = Checking(CheckOptions(service_called(service), own_keys, keep), counter)
    checking.read(io.BytesIO(data), "train.jsonl")
    if validation is not None:
        checking.read(io.BytesIO(validation), "valid.jsonl")
    return checking.report()


def errors(report: Report) -> list[Finding]:
    return [one for one in report.findings.kept() if one.severity == "error"]


def warnings(report: Report) -> list[Finding]:
    return [one for one in report.findings.kept() if one.severity == "warning"]
