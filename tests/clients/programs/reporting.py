"""What all programs of clients share: the questions, and how they tell what came of each feature."""

import json
import os
from collections.abc import Callable, Mapping

MODEL = os.environ.get("MODEL", "tiny-phi")
QUESTION = "What is the capital of France?"
WEATHER = "What is the weather in Paris?"
RESULT = '{"sky": "sunny", "celsius": 21}'
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def report(features: Mapping[str, Callable[[], str]]) -> None:
    """Run each feature, and print a line of JSON for it: its name, and what came or why nothing came."""
    for name, run in features.items():
        try:
            line = {"feature": name, "came": run()}
        except Exception as error:  # noqa: BLE001 (the test shows it)
            line = {"feature": name, "failed": f"{type(error).__name__}: {error}"[:600]}
        print(json.dumps(line), flush=True)
