"""The arrows of the architecture: who may import whom, and what ``--help`` may load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "phicli"
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "paths": set(),
    "units": set(),
    "catalog": {"errors"},
    "hardware": {"errors"},
    "fit": {"units", "catalog", "hardware", "errors"},
    "gguf_file": {"errors"},
    "hub": {"units", "catalog", "gguf_file", "paths", "errors"},
    "chat_format": {"catalog", "errors"},
    "engine": {"errors"},
    "plan": {"units", "catalog", "hardware", "fit", "hub", "gguf_file", "engine", "paths", "errors"},
    "bench": {"units", "engine", "fit", "catalog", "hardware", "gguf_file", "paths", "errors"},
    "chat": {"units", "plan", "engine", "chat_format", "catalog", "gguf_file", "hardware", "hub", "paths", "errors"},
    "ui": {"units", "bench", "chat", "plan", "engine", "chat_format", "hub", "catalog", "paths", "errors"},
}
EVERYTHING_ABOVE = {"commands", "app", "__main__", "__init__"}
HEAVY = (
    "rich", "huggingface_hub", "psutil", "xllamacpp", "prompt_toolkit", "http.client", "httpx", "platformdirs",
    "matplotlib",
)  # fmt: skip


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("phicli.")}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_down(path: Path) -> None:
    part = part_of(path)
    if part in EVERYTHING_ABOVE:
        return
    assert part in MAY_IMPORT, f"{part} is not in the table"
    assert imported_parts(path) - {part} <= MAY_IMPORT[part]


def test_the_worker_needs_nothing_of_the_package() -> None:
    assert imported_parts(PACKAGE / "engine" / "worker.py") == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["chat", "--help"], ["bench", "--help"]], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        f"code = main({arguments!r})\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('LOADED', code, loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED 0 []"


def test_only_the_user_interface_prints() -> None:
    """``print`` and Rich live in ``ui``; the worker speaks its protocol on standard output."""
    for path in PACKAGE.rglob("*.py"):
        if part_of(path) == "ui" or path.name == "worker.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path
        assert not re.search(r"^\s*(import|from) rich", path.read_text(encoding="utf-8"), re.MULTILINE), path
