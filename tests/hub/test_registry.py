"""The records of models that stay where they are: what a damaged or lying one can do, which is nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.hub import verified
from phicli.hub.in_place import registry
from phicli.hub.in_place.registration import register
from phicli.hub.in_place.registry import find, registered
from phicli.paths import data_dir
from tests.support.other_programs import phi_4_mini_bytes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "My Model.gguf"
    path.write_bytes(phi_4_mini_bytes("Somebody's model"))
    return path


def test_records_that_make_no_sense_are_left_out(model: Path) -> None:
    register(model, name="good")
    folder = data_dir() / "models"
    record = json.loads((folder / "good.json").read_text())
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text("[]")
    (folder / "c.json").write_text(json.dumps(record | {"more": 1}))
    (folder / "d.json").write_text(json.dumps(record | {"name": "../good"}))
    (folder / "e.json").write_bytes(b"\xff")
    assert [one.name for one in registered()] == ["good"]


def test_only_folders_of_our_own_imports_are_ours(model: Path, home: Path) -> None:
    assert registry.imported_folder(register(model).model) is None
    own = home / "data" / "imported" / "own" / "m.gguf"
    own.parent.mkdir(parents=True)
    own.write_bytes(phi_4_mini_bytes("own"))
    assert registry.imported_folder(register(own, name="own").model) == own.parent


@pytest.mark.parametrize(
    "way", ["..", ".", "", "../../../u.gguf", "own", "own/..", "own/../..", "linked/m.gguf", "f.gguf"]
)
def test_a_record_that_leads_elsewhere_makes_nothing_ours(model: Path, home: Path, tmp_path: Path, way: str) -> None:
    imported = home / "data" / "imported"
    (imported / "own").mkdir(parents=True)
    (imported / "f.gguf").write_bytes(b"x")
    (tmp_path / "m.gguf").write_bytes(b"x")
    (imported / "linked").symlink_to(tmp_path)
    lying = replace(register(model).model, path=Path(f"{imported}/{way}"))
    assert registry.imported_folder(lying) is None


def test_a_home_behind_a_link(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    own = home / "data" / "imported" / "own" / "m.gguf"
    own.parent.mkdir(parents=True)
    own.write_bytes(phi_4_mini_bytes("own"))
    (tmp_path / "link").symlink_to(home)
    made = register(tmp_path / "link" / "data" / "imported" / "own" / "m.gguf", name="own").model
    assert registry.imported_folder(made) == own.parent
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "link"))
    assert registry.imported_folder(made) == tmp_path / "link" / "data" / "imported" / "own"


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"name": "m", "path": "/x"}', "\\xff"],
    ids=["deep", "half", "no JSON"],
)
def test_a_damaged_record_is_no_model(home: Path, text: str) -> None:
    (home / "data" / "models").mkdir(parents=True)
    (home / "data" / "models" / "m.json").write_text(text)
    assert registered() == ()


CHANGES: list[dict[str, object]] = [
    {"path": "/x\0y"}, {"path": "/\ud800"}, {"path": "/" + "x" * 5000}, {"path": "/" + "x/" * 3000}, {"path": "m.gguf"},
    {"path": 5}, {"quant": 4}, {"quant": "\x1b[31m"}, {"variant_id": ["phi-4-mini"]}, {"size_bytes": "1"},
    {"size_bytes": 10**400}, {"size_bytes": -1}, {"mtime_ns": None}, {"sha256": 5}, {"sha256": "x"}, {"origin": None},
    {"name": "other"}, {"name": ["m"]},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change)[:30])
def test_a_record_that_makes_no_sense_is_no_model(home: Path, model: Path, change: dict[str, object]) -> None:
    register(model, name="m")
    path = home / "data" / "models" / "m.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert registered() == ()
    assert registry.damaged_records() == (path,)
    assert find("m") is None
    assert register(model, name="m").already is False
    assert registry.damaged_records() == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_record_that_is_a_pipe_is_not_waited_for(home: Path, model: Path) -> None:
    for kind in ("models", "verified"):
        (home / "data" / kind).mkdir(parents=True)
    os.mkfifo(home / "data" / "models" / "m.json")
    (home / "data" / "models" / "n.json").write_bytes(b" " * 2_000_000)
    assert registered() == ()
    verified.record(model, "0" * 64)
    (record,) = (home / "data" / "verified").iterdir()
    record.unlink()
    os.mkfifo(record)
    assert verified.recorded(model) is None


@pytest.mark.parametrize(
    "change",
    [{"sha256": 5}, {"sha256": "x"}, {"verified_at": "x"}, {"verified_at": 10**400}, {"verified_at": -1}, {"more": 1}],
    ids=lambda change: str(change)[:30],
)
def test_a_damaged_hash_is_none(home: Path, model: Path, change: dict[str, object]) -> None:
    verified.record(model, "0" * 64)
    assert verified.recorded(model) is not None
    (record,) = (home / "data" / "verified").iterdir()
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    assert verified.recorded(model) is None
    record.write_text("[" * 100_000)
    assert verified.recorded(model) is None
