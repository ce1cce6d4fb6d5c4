"""The clients of others that the server is tested with: pinned, each in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

PROGRAMS: Final = Path(__file__).with_name("programs")
_CAPITAL: Final = "The capital of France is Paris."
_SUNNY: Final = "It is sunny in Paris, at 21 degrees."


@dataclass(frozen=True, slots=True)
class Client:
    """A client: the packages that are installed for it, the program that uses it, and what comes of each feature."""

    name: str
    packages: tuple[str, ...]
    program: str
    features: Mapping[str, str]

    @property
    def of_node(self) -> bool:
        """Whether it is a package of npm."""
        return self.program.endswith(".mjs")


CLIENTS: Final = (
    Client("openai (Python)", ("openai==3.57.0",), "openai_python.py", {
        "chat": _CAPITAL, "stream": _CAPITAL, "stream manager": _CAPITAL, "parse (Pydantic)": "a City",
        "json_object": "an object", "tool conversation": _SUNNY, "streamed tool conversation": _SUNNY,
        "tool_choice required": "get_weather", "tool_choice named": "get_weather", "models.list": "tiny-phi",
        "models.retrieve": "tiny-phi", "logprobs": _CAPITAL, "n": _CAPITAL, "stop": "The capital of France is",
        "completions": "text", "wrong model": "NotFoundError", "wrong request": "BadRequestError messages[0].role",
    }),
    Client("llm", ("llm==0.36",), "llm_client.py", {
        "prompt": _CAPITAL, "--no-stream": _CAPITAL, "--schema": "a city", "--functions": _SUNNY,
    }),
    Client("litellm", ("litellm==1.110.2",), "litellm_client.py", {
        "chat": _CAPITAL, "stream": _CAPITAL, "hosted_vllm": _CAPITAL, "json_schema": "a city",
        "tool conversation": _SUNNY,
    }),
    Client("langchain-openai", ("langchain-openai==1.7.4",), "langchain_client.py", {
        "chat": _CAPITAL, "stream": _CAPITAL, "structured output": "a City",
        "structured output by a tool": "a City", "tool conversation": _SUNNY,
    }),
    Client("instructor", ("instructor==1.17.0",), "instructor_client.py", {
        "default mode (tools)": "a City", "JSON_SCHEMA mode": "a City",
    }),
    Client("pydantic-ai", ("pydantic-ai-slim[openai]==2.62.0",), "pydantic_ai_client.py", {
        "text": _CAPITAL, "default output (tools)": "a City", "native output": "a City",
        "tool conversation": _SUNNY,
    }),
    Client("openai (npm)", ("openai@6.49.0",), "openai_node.mjs", {
        "chat": _CAPITAL, "stream": _CAPITAL, "json_schema": "city", "tool conversation": _SUNNY,
        "models.retrieve": "tiny-phi",
    }),
    Client("ai with @ai-sdk/openai-compatible (npm)", ("ai@6.0.326", "@ai-sdk/openai-compatible@2.0.92"),
           "ai_sdk.mjs", {
        "generateText": _CAPITAL, "streamText": _CAPITAL, "generateObject with structured outputs": "city",
        "toolChoice required": "city", "tool conversation": _SUNNY,
    }),
)  # fmt: skip


def what_came(client: Client, address: str) -> dict[str, str]:
    """What came of each feature of ``client`` at the server at ``address``; what failed begins with ``failed:``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PHI_"))}
    more = {"BASE_URL": f"{address}/v1", "PYTHONUTF8": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        _command(client), env=environment | more, capture_output=True, text=True, timeout=240, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"feature"')]
    assert lines, done.stderr
    return {line["feature"]: _came(line) for line in lines}


def _came(line: Mapping[str, Any]) -> str:
    return line["came"] if "came" in line else f"failed: {line['failed']}"


def _command(client: Client) -> Sequence[str]:
    """What runs the program of ``client``; its packages are installed first, once."""
    folder = Path(platformdirs.user_cache_dir("phicli-tests")) / "clients" / client.program
    wanted, known = "\n".join(client.packages), folder / "packages.txt"
    if not known.exists() or known.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (_install_node if client.of_node else _install_python)(client, folder)
        known.write_text(wanted)
    if client.of_node:
        for program in PROGRAMS.glob("*.mjs"):  # where Node looks for packages
            shutil.copy(program, folder)
        return ["node", str(folder / client.program)]
    return [str(folder / "bin" / "python"), str(PROGRAMS / client.program)]


def _install_python(client: Client, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *client.packages], check=True)


def _install_node(client: Client, folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}')
    subprocess.run(["npm", "install", "--silent", *client.packages], cwd=folder, check=True)
