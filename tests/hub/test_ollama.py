"""Models of Ollama: from the manifest to the file, and why some are passed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from phicli.hub.in_place.ollama import find_ollama, ollama_folders
from tests.support.other_programs import MODEL_LAYER, phi_4_mini_bytes, put_in_ollama, put_manifest

CONTENT = phi_4_mini_bytes()


def test_the_blob_of_a_manifest(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path, "phi4-mini:latest", CONTENT)
    findings = find_ollama((tmp_path, tmp_path / "none"))
    assert findings.folders == (tmp_path,)
    assert findings.skipped == ()
    (file,) = findings.found
    assert (file.path, file.origin, file.label) == (blob, "ollama", "phi4-mini:latest")
    assert (file.sha256, file.size_bytes) == (blob.name.removeprefix("sha256-"), len(CONTENT))


@pytest.mark.parametrize(
    ("owner", "label"),
    [
        ("registry.ollama.ai/library", "m:q4"),
        ("registry.ollama.ai/someone", "someone/m:q4"),
        ("hf.co/bartowski", "hf.co/bartowski/m:q4"),
    ],
)
def test_labels_are_those_of_ollama_list(tmp_path: Path, owner: str, label: str) -> None:
    put_in_ollama(tmp_path, "m:q4", CONTENT, owner=owner)
    assert [file.label for file in find_ollama((tmp_path,)).found] == [label]


def test_two_names_of_one_file_come_once_and_two_files_twice(tmp_path: Path) -> None:
    put_in_ollama(tmp_path, "phi4-mini:3.8b", CONTENT)
    put_in_ollama(tmp_path, "phi4-mini:latest", CONTENT)
    put_in_ollama(tmp_path, "phi4:latest", CONTENT + b"\0")
    assert [file.label for file in find_ollama((tmp_path,)).found] == ["phi4:latest", "phi4-mini:3.8b"]


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "another type": ({"mediaType": "application/vnd.ollama.image.tensor"}, "no GGUF file"),
    "no digest": ({"digest": None}, "no SHA-256"),
    "a digest that leads elsewhere": ({"digest": "sha256:../../../../etc/passwd"}, "no SHA-256"),
    "a file that is not there": ({"digest": f"sha256:{'0' * 64}"}, "cannot be read"),
    "a size that is a text": ({"size": "x"}, "its manifest is damaged"),
    "a size that is nothing": ({"size": None}, "its manifest is damaged"),
    "a file that is cut": ({"size": len(CONTENT) + 7}, f"has {len(CONTENT):,} bytes"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_used_is_passed_over_with_a_reason(tmp_path: Path, case: str) -> None:
    changed, reason = BROKEN[case]
    put_in_ollama(tmp_path, "bad:latest", CONTENT, **changed)
    put_in_ollama(tmp_path, "good:latest", CONTENT + b"\0")
    findings = find_ollama((tmp_path,))
    assert [file.label for file in findings.found] == ["good:latest"]
    assert [skipped.label for skipped in findings.skipped] == ["bad:latest"]
    assert reason in findings.skipped[0].reason


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layers": 3}', '{"layers": [1]}', "[" * 100_000, "\xff"])
def test_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    put_manifest(tmp_path, "bad:latest", []).write_bytes(text.encode("latin-1"))
    findings = find_ollama((tmp_path,))
    assert findings.found == ()
    assert [skipped.reason for skipped in findings.skipped] == ["its manifest is damaged"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(put_manifest(tmp_path, "pipe:latest", []).with_name("x"))
    put_manifest(tmp_path, "large:latest", []).write_bytes(b" " * ((1 << 20) + 1))
    reasons = {skipped.label: skipped.reason for skipped in find_ollama((tmp_path,)).skipped}
    assert "not a regular file" in reasons["pipe:x"]
    assert "too large" in reasons["large:latest"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    assert find_ollama((tmp_path / ("x" * 5000), Path("/\ud800"))).folders == ()


def test_parts_and_adapters_are_not_for_others(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path, "whole:latest", CONTENT)
    layer = {"mediaType": MODEL_LAYER, "digest": blob.name.replace("-", ":"), "size": len(CONTENT)}
    put_manifest(tmp_path, "parts:latest", [layer, layer])
    put_manifest(tmp_path, "tuned:latest", [layer, {"mediaType": "application/vnd.ollama.image.adapter"}])
    reasons = {skipped.label: skipped.reason for skipped in find_ollama((tmp_path,)).skipped}
    assert set(reasons) == {"parts:latest", "tuned:latest"}
    assert "several parts" in reasons["parts:latest"]
    assert "adapter" in reasons["tuned:latest"]


def test_other_files_beside_manifests_are_not_looked_at(tmp_path: Path) -> None:
    put_in_ollama(tmp_path, "m:latest", CONTENT)
    library = tmp_path / "manifests" / "registry.ollama.ai" / "library"
    (library / "m" / ".DS_Store").write_bytes(b"x")
    (library / "stray").write_bytes(b"x")
    (library / "m" / "deep" / "er").mkdir(parents=True)
    (library / "m" / "deep" / "er" / "file").write_bytes(b"x")
    findings = find_ollama((tmp_path,))
    assert (len(findings.found), findings.skipped) == (1, ())


def test_where_it_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    service = Path("/usr/share/ollama/.ollama/models")
    assert ollama_folders() == (tmp_path / ".ollama" / "models", service)
    assert ollama_folders({"OLLAMA_MODELS": os.fspath(tmp_path / "big")}) == (tmp_path / "big",)
    assert ollama_folders({"OLLAMA_MODELS": "~/big"}) == (tmp_path / "big",)
    assert ollama_folders({"OLLAMA_MODELS": ""}) == ollama_folders({})
