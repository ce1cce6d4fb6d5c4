"""The scripts in ``findings/`` begin with what CONTRIBUTING.md asks for. They need a network, so no test runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "findings").iterdir())
LABELS = ["Guess", "Truth", "Version", "Matters", "phi", "Source", "Exit code"]
each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)


def header(script: Path) -> list[str]:
    """The lines of the comment behind the first line."""
    first, *lines = script.read_text(encoding="utf-8").splitlines()
    assert first == "#!/usr/bin/env bash"
    return lines[: next(place for place, line in enumerate(lines) if not line.startswith("#"))]


def test_there_are_findings() -> None:
    assert SCRIPTS
    assert {script.suffix for script in SCRIPTS} == {".sh"}


@each
def test_the_comment_has_the_guess_the_truth_the_version_and_the_code(script: Path) -> None:
    lines = header(script)
    assert len(lines) <= 12
    assert [label[1] for line in lines if (label := re.match(r"# (\w[\w ]*): \S", line))] == LABELS


@each
def test_the_code_that_works_around_it_names_the_script(script: Path) -> None:
    (named,) = {path for line in header(script) for path in re.findall(r"phicli/[\w/]+\.py", line)}
    assert f"findings/{script.name}" in (ROOT / named).read_text(encoding="utf-8")


@each
def test_versions_are_pinned_and_no_package_index_is_named(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    (install,) = re.findall(r'install --quiet ([^\n]+?) 2>"\$work/log"', text)
    assert all("==" in requirement for requirement in install.split())
    (pinned,) = re.findall(r"^version=\$\{1:-(\S+)\}$", text, re.MULTILINE)
    assert any(line.startswith("# Version: ") and pinned in line for line in header(script))
    assert "index" not in install


@each
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permission")
def test_it_can_be_started(script: Path) -> None:
    assert os.access(script, os.X_OK)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="the scripts are for a POSIX shell")
@each
def test_bash_can_read_it(script: Path) -> None:
    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
