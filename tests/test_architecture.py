"""The arrows of the architecture: who may import whom, and what ``--help`` may load."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "phicli"
DOCUMENT = PACKAGE.parent / "docs" / "architecture.md"
EVERYTHING = "everything"


def table_of_arrows() -> dict[str, set[str]]:
    """Package to what it may import, as the table in ``docs/architecture.md`` says.

    A name with a point is one module of a package: no other of it may be imported.
    """
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition("<!-- table of arrows -->")[2].partition("<!-- end of table -->")[0]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    assert head == ["package", "may import", "holds"]
    return {
        package.strip("`"): {EVERYTHING} if others == EVERYTHING else set(re.findall(r"`([\w.]+)`", others))
        for package, others, _ in rows
    }


def layers() -> list[set[str]]:
    """The packages in each line of the picture in ``docs/architecture.md``, top to bottom."""
    picture = DOCUMENT.read_text(encoding="utf-8").partition("<!-- layers -->\n```text\n")[2].partition("```")[0]
    return [set(re.split(r" {20,}", line)[0].split()) for line in picture.splitlines()]


MAY_IMPORT = {package: others for package, others in table_of_arrows().items() if others != {EVERYTHING}}
EVERYTHING_ABOVE = table_of_arrows().keys() - MAY_IMPORT.keys()
HEAVY = (
    "rich", "huggingface_hub", "psutil", "xllamacpp", "prompt_toolkit", "http.client", "httpx", "platformdirs",
    "matplotlib",
)  # fmt: skip


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Names of modules of the package that ``path`` imports, without ``phicli.``."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules |= {name if is_module(name) else node.module for name in names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return {name.removeprefix("phicli.") for name in modules if name.startswith("phicli.")}


def is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or place.is_dir()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_down(path: Path) -> None:
    part = part_of(path)
    if part in EVERYTHING_ABOVE:
        return
    assert part in MAY_IMPORT, f"{part} is not in the table"
    others = {name for name in imported(path) if name.split(".")[0] != part}
    assert not {name for name in others if not {name.split(".")[0], name} & MAY_IMPORT[part]}


def test_the_table_has_every_package_and_no_other() -> None:
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")}
    assert parts == MAY_IMPORT.keys() | EVERYTHING_ABOVE
    assert {"commands", "app", "__main__", "__init__"} == EVERYTHING_ABOVE


def test_the_picture_says_what_the_table_says() -> None:
    line_of = {package: number for number, packages in enumerate(layers()) for package in packages}
    assert line_of.keys() == table_of_arrows().keys() - {"__init__"}
    for package, others in MAY_IMPORT.items():
        for other in others:
            assert line_of[package] < line_of[other.split(".")[0]], f"{package} may import {other}, which is above it"


def room_of(module: str) -> str:
    """The sub-package that a module lies in; the module itself where it lies directly in a package."""
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 or (PACKAGE / module.replace(".", "/")).is_dir() else module


@pytest.mark.parametrize("room", [lambda name: name, room_of], ids=["modules", "sub-packages"])
def test_there_is_no_circle(room: Callable[[str], str]) -> None:
    arrows: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        arrows.setdefault(room(name), set()).update(room(other) for other in imported(path))
    order = graphlib.TopologicalSorter({name: others - {name} for name, others in arrows.items()})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("name", ["worker.py", "ctransformers_worker.py"])
def test_the_workers_need_nothing_of_the_package(name: str) -> None:
    assert imported(PACKAGE / "engine" / name) == set()


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["chat", "--help"], ["bench", "--help"], ["config", "--help"]],
    ids=" ".join,
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


def test_only_the_package_that_switches_telemetry_off_imports_the_hubs_libraries() -> None:
    for path in PACKAGE.rglob("*.py"):
        if part_of(path) != "hub":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(import|from) (huggingface_hub|hf_xet)\b", text, re.MULTILINE), path


def test_only_the_user_interface_prints() -> None:
    """``print`` and Rich live in ``ui``; the worker speaks its protocol on standard output."""
    for path in PACKAGE.rglob("*.py"):
        if part_of(path) == "ui" or path.name == "worker.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path
        assert not re.search(r"^\s*(import|from) rich", path.read_text(encoding="utf-8"), re.MULTILINE), path


RESOLVES = (
    "catalog.load",
    "catalog.resolve",
    "plan.locate",
    "plan.installed",
    "hub.cache",
    "hub.verified",
    "hub.store",
)
"""Modules that look something up: on the disk, in the catalogue, in the environment."""


def test_the_user_interface_resolves_nothing() -> None:
    """It gets finished data; of the modules that look things up it may import types only."""
    for path in (PACKAGE / "ui").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            module = node.module.removeprefix("phicli.")
            for name in [alias.name for alias in node.names]:
                looks_up = f"{module}.{name}" in RESOLVES or (module in RESOLVES and not name[0].isupper())
                assert not looks_up, f"{path.relative_to(PACKAGE)} imports {module}.{name}"
        if path.name != "plot.py":  # which writes the file that was asked for
            assert not re.search(r"\.(exists|is_file|iterdir|lstat)\(", text), path


def test_only_one_module_names_the_files_of_peft() -> None:
    where = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value).startswith(("adapter_config.", "adapter_model"))
    }
    assert where == {"hub/peft_files.py"}
