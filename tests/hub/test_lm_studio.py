"""Models of LM Studio: where its folders are, and what counts as a model there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from phicli.hub.in_place.lm_studio import find_lm_studio, lm_studio_folders
from tests.support.other_programs import phi_4_mini_bytes, put_in_lm_studio

CONTENT = phi_4_mini_bytes()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_files_in_both_of_its_folders(home: Path) -> None:
    new = put_in_lm_studio(home / ".lmstudio" / "models", "lmstudio-community/Phi-4-GGUF/phi-4-Q4_K_M.gguf", CONTENT)
    old = put_in_lm_studio(home / ".cache" / "lm-studio" / "models", "TheBloke/phi-2-GGUF/phi-2.Q4_K_M.gguf", CONTENT)
    findings = find_lm_studio()
    assert findings.folders == (home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models")
    assert [(file.path, file.label) for file in findings.found] == [
        (new, "lmstudio-community/Phi-4-GGUF/phi-4-Q4_K_M.gguf"),
        (old, "TheBloke/phi-2-GGUF/phi-2.Q4_K_M.gguf"),
    ]
    assert {(file.origin, file.sha256, file.size_bytes) for file in findings.found} == {
        ("lm-studio", None, len(CONTENT))
    }


def test_a_folder_that_was_moved(home: Path) -> None:
    settings = home / ".lmstudio" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"downloadsFolder": str(home / "big")}))
    path = put_in_lm_studio(home / "big", "a/b/c.gguf", CONTENT)
    assert [file.path for file in find_lm_studio().found] == [path]


def test_a_home_that_was_moved(home: Path) -> None:
    (home / ".lmstudio-home-pointer").write_text(f"{home / 'elsewhere'}\n")
    path = put_in_lm_studio(home / "elsewhere" / "models", "a/b/c.gguf", CONTENT)
    assert [file.path for file in find_lm_studio().found] == [path]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"downloadsFolder": 3}', '{"downloadsFolder": ""}', "[" * 100_000])
def test_settings_that_make_no_sense(home: Path, text: str) -> None:
    (home / ".lmstudio").mkdir()
    (home / ".lmstudio" / "settings.json").write_text(text)
    assert lm_studio_folders() == (home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_settings_that_are_pipes(home: Path) -> None:
    (home / ".lmstudio").mkdir()
    os.mkfifo(home / ".lmstudio" / "settings.json")
    os.mkfifo(home / ".lmstudio-home-pointer")
    assert find_lm_studio().folders == ()


def test_a_folder_that_cannot_be(home: Path) -> None:
    (home / ".lmstudio").mkdir()
    (home / ".lmstudio" / "settings.json").write_text(json.dumps({"downloadsFolder": "/" + "x" * 5000}))
    (home / ".lmstudio-home-pointer").write_text("/" + "y" * 5000)
    assert find_lm_studio().found == ()


def test_what_is_no_model(tmp_path: Path) -> None:
    for name in ("._c.gguf", "d.gguf.part", "readme.md"):
        put_in_lm_studio(tmp_path, f"a/b/{name}", CONTENT)
    put_in_lm_studio(tmp_path, "a/b/good.GGUF", CONTENT)
    findings = find_lm_studio((tmp_path,))
    assert [file.label for file in findings.found] == ["a/b/good.GGUF"]
    assert findings.skipped == ()


def test_broken_links_and_missing_parts_are_passed_over_with_a_reason(tmp_path: Path) -> None:
    put_in_lm_studio(tmp_path, "a/b/half-00001-of-00002.gguf", CONTENT)
    put_in_lm_studio(tmp_path, "a/b/whole-00001-of-00002.gguf", CONTENT)
    put_in_lm_studio(tmp_path, "a/b/whole-00002-of-00002.gguf", b"123")
    (tmp_path / "a" / "b" / "link.gguf").symlink_to(tmp_path / "gone.gguf")
    findings = find_lm_studio((tmp_path,))
    assert [(file.label, file.size_bytes) for file in findings.found] == [
        ("a/b/whole-00001-of-00002.gguf", len(CONTENT) + 3)
    ]
    assert {skipped.label: skipped.reason for skipped in findings.skipped} == {
        "a/b/half-00001-of-00002.gguf": "some of its parts are missing",
        "a/b/link.gguf": "the link is broken",
    }


def test_a_link_to_the_same_file_comes_once(tmp_path: Path) -> None:
    first = put_in_lm_studio(tmp_path, "a/b/c.gguf", CONTENT)
    (tmp_path / "a" / "b" / "d.gguf").symlink_to(first)
    assert [file.path for file in find_lm_studio((tmp_path,)).found] == [first]
