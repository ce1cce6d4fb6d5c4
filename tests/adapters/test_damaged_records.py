"""Records of adapters that a person edited, or that a newer version wrote: named, added again, or removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.adapters.adding import add
from phicli.adapters.registry import damaged_records, find, registered, require
from phicli.adapters.removal import adapters_to_remove, remove
from phicli.errors import IntegrityError, NotFoundError
from tests.support.lora import write_gguf, write_peft


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    add(write_peft(tmp_path / "poems"))
    return tmp_path / "home" / "data" / "adapters"


def changed(home: Path, **change: object) -> str:
    return json.dumps(json.loads((home / "poems.json").read_text()) | change)


@pytest.mark.parametrize("kind", ["empty", "cut", "list", "deep", "newer", "type", "name"])
def test_a_damaged_record_is_named_and_added_again(home: Path, tmp_path: Path, kind: str) -> None:
    assert (damaged_records(), require("poems").name) == ((), "poems")
    contents = {
        "empty": "", "cut": changed(home)[:-9], "list": "[]", "deep": "[" * 100_000, "newer": changed(home, color=1),
        "type": changed(home, size_bytes="1"), "name": changed(home, name="songs"),
    }  # fmt: skip
    (home / "poems.json").write_text(contents[kind])
    assert (registered(), damaged_records()) == ((), (home / "poems.json",))
    with pytest.raises(IntegrityError, match=r"the record of the adapter poems is damaged: .*poems\.json") as caught:
        require("Poems")
    assert "--as poems; or remove it: phi adapters rm poems" in caught.value.hint
    with pytest.raises(NotFoundError, match="'songs' not found"):
        require("songs")
    assert add(tmp_path / "poems").adapter.name == "poems"
    assert damaged_records() == ()


def test_a_damaged_record_is_removed_with_the_file_that_was_converted(home: Path, tmp_path: Path) -> None:
    mine = write_gguf(tmp_path / "mine.gguf")
    add(mine)
    for name in ("poems", "mine"):
        (home / f"{name}.json").write_text("{")
    found = adapters_to_remove(["poems", "mine"])
    assert [(one.name, one.path.name, one.size_bytes > 1) for one in found] == [
        ("poems", "poems.gguf", True), ("mine", "mine.json", False),
    ]  # fmt: skip
    remove(found)
    assert list(home.iterdir()) == []
    assert mine.exists()
    assert find("poems") is None
