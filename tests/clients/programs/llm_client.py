"""What the program ``llm`` gets from the server at ``BASE_URL``, configured as its documentation says."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from reporting import MODEL, QUESTION, RESULT, WEATHER, report

folder = tempfile.mkdtemp()
Path(folder, "extra-openai-models.yaml").write_text(
    f"- model_id: phi\n  model_name: {MODEL}\n  api_base: {os.environ['BASE_URL']}\n"
    "  supports_schema: true\n  supports_tools: true\n"
)
TOOLS = f'''
def get_weather(city: str) -> str:
    """The weather in a city"""
    return {RESULT!r}
'''


def _llm(*arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("llm")), *arguments], env={**os.environ, "LLM_USER_PATH": folder},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def prompt() -> str:
    return _llm("-m", "phi", QUESTION)


def no_stream() -> str:
    return _llm("-m", "phi", "--no-stream", QUESTION)


def schema() -> str:
    assert set(json.loads(_llm("-m", "phi", "--schema", "city, country", "-o", "max_tokens", "64", QUESTION))) == {
        "city",
        "country",
    }
    return "a city"


def tools() -> str:
    return _llm("-m", "phi", "--functions", TOOLS, WEATHER)


FEATURES: Mapping[str, Callable[[], str]] = {
    "prompt": prompt, "--no-stream": no_stream, "--schema": schema, "--functions": tools,
}  # fmt: skip
report(FEATURES)
