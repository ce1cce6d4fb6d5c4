"""The distribution has a name of its own: ``phicli`` on the package index is another project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from phicli.errors import install_hint

ROOT = Path(__file__).parents[1]
PLACES = (
    "phicli", "docs", "completions", "benchmarks", "training", "findings", ".ci", ".github", "requirements", "tasks.sh",
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
)  # fmt: skip
ANOTHER_PROJECT = re.compile(
    r"phicli\[\w"  # an extra
    r"|\b(?:install|inject|upgrade|--upgrade|--force-reinstall|uvx|pipx run|--with)\b[^\n]*[\s\"'=]phicli\b(?![/.])"
)


@pytest.mark.parametrize(
    "text",
    [
        'pip install "phicli[plot]"',
        "pip install --upgrade phicli",
        "install phi again: pip install --force-reinstall phicli",
        "pipx install phicli",
        "pipx upgrade phicli",
        "uv tool install 'phicli'",
    ],
)
def test_the_old_form_is_recognized(text: str) -> None:
    assert ANOTHER_PROJECT.search(text)


def test_nothing_tells_people_to_install_another_project() -> None:
    listed = [ROOT / place for place in PLACES]
    files = [path for top in listed for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    texts = {path: path.read_bytes().decode(errors="ignore") for path in files if path.suffix not in {".gguf", ".pyc"}
             and path.is_file()}  # fmt: skip
    assert len(texts) > 300
    hits = [
        f"{path.relative_to(ROOT)}: {hit[0]}" for path, text in texts.items() if (hit := ANOTHER_PROJECT.search(text))
    ]
    assert hits == []


def test_the_distribution_is_called_phi_local() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "phi-local"
    assert list(project["scripts"]) == ["phi"]


def test_the_hint_names_the_checkout() -> None:
    assert install_hint() == "in a checkout of phi: pip install . (with pipx: pipx install --force .)"
    assert 'pip install ".[plot]"' in install_hint("plot")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "plot" in extras
