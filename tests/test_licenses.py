"""``docs/licenses.md`` and ``requirements/dev.lock`` name what ``pyproject.toml`` requires and what the wheel has."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gguf import GGUFReader
from packaging.requirements import Requirement

from phicli.catalog.load import catalog
from tests.support.files import TINY_PHI

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "phicli"
ROW = re.compile(r"^\| ([a-z0-9-]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;]+)", re.MULTILINE)
DOCUMENT = (ROOT / "docs" / "licenses.md").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def licenses() -> ModuleType:
    """The script that writes the table."""
    spec = importlib.util.spec_from_file_location("licenses", ROOT / ".ci" / "licenses.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_project_is_under_mit() -> None:
    assert project()["license"] == "MIT"
    assert project()["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n\nCopyright (c) 2026 the phi-local contributors\n")


def test_tiny_phi_is_under_mit_in_the_catalog_and_in_its_own_metadata() -> None:
    field = GGUFReader(TINY_PHI).get_field("general.license")
    assert field is not None
    assert field.contents() == "mit"
    assert next(variant for variant in catalog().variants if variant.id == "tiny-phi").license == "MIT"


def test_the_table_has_every_dependency(licenses: ModuleType) -> None:
    expected: dict[str, set[str]] = {}
    for group, requirements in licenses.declared().items():
        for requirement in requirements:
            purpose = "phi" if group == "phi" else f"extra `{group}`"
            expected.setdefault(licenses.name_of(requirement), set()).add(purpose)
    rows = [row for row in ROW.findall(DOCUMENT) if row[0] not in {"package", "file"}]
    table = {name: set(purposes.split(", ")) for name, purposes, _ in rows}
    direct = {name: purposes for name, purposes in table.items() if purposes != {"a package that phi requires"}}
    assert direct == expected, "run: python .ci/licenses.py"
    assert "not stated" not in DOCUMENT


def test_the_table_says_what_the_packages_say(licenses: ModuleType) -> None:
    """Compared for packages of the locked version: another version may state its license in other words."""
    locked = set(PIN.findall(LOCK))
    compared = 0
    for name, _, stated in ROW.findall(DOCUMENT):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if (name, version) in locked:
            assert licenses.installed_license(name) == stated, f"{name}; run: python .ci/licenses.py"
            compared += 1
    if not compared:
        pytest.skip("no package has the locked version")


def test_every_data_file_of_the_package_is_listed() -> None:
    listed = [Path(place) for place in re.findall(r"^\| `(phicli/[^`]+)` \|", DOCUMENT, re.MULTILINE)]
    data = [path.relative_to(ROOT) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in data:
        if path.suffix not in {".py", ".md"} and path.name != "py.typed":
            assert any(path.match(str(pattern)) for pattern in listed), path


def test_the_lock_pins_every_dependency_and_names_no_index() -> None:
    pins: dict[str, list[str]] = {}
    for name, version in PIN.findall(LOCK):
        pins.setdefault(name, []).append(version)
    for line in [*project()["dependencies"], *project()["optional-dependencies"]["dev"]]:
        requirement = Requirement(line)
        versions = pins.get(requirement.name.lower().replace("_", "-"), [])
        assert versions, f"{requirement.name} is not locked; run: ./tasks.sh lock"
        assert all(requirement.specifier.contains(version) for version in versions), line
    assert "://" not in LOCK
    assert not re.search(r"^(-i|--(index|extra|find|trusted))", LOCK, re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
