"""Native kernels: how they are saved, and what is wrong with them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.kernels import (
    Choice,
    build_name,
    damage_of,
    kernels_folder,
    read_choice,
    read_manifest,
    remember_failure,
    saved_kernels,
    write_choice,
    write_manifest,
)
from phicli.engine.processor import processor_name
from phicli.engine.used_kernels import kernels_in_use
from phicli.errors import PhiError
from tests.support.kernels import CONTENT, ENGINE, built


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size_bytes", float("inf")), ("variant", "a\x00b"), ("path", ".."), ("path", "a\ud800"),
        ("instruction_sets", None), ("variant", "\x1b[31m"), ("engine", ""), ("processor", "\x1b]0;title\x07"),
        ("prompt_ratio", "fast"),
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_with_a_value_that_makes_no_sense_is_skipped(key: str, value: object) -> None:
    manifest = built().path.with_name("kernels.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {key: value}))
    assert saved_kernels() == ()
    assert kernels_in_use(ENGINE).kernels is None


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[::-1], b""])
def test_a_damaged_module_is_not_used(content: bytes) -> None:
    kernels = built()
    assert damage_of(kernels) == ""
    kernels.path.write_bytes(content)
    assert damage_of(kernels) == "libggml-cpu-zen4.so is damaged"
    in_use = kernels_in_use(ENGINE)
    assert in_use.kernels is None
    assert not in_use.missing
    assert in_use.reason == "the native kernels are not used: libggml-cpu-zen4.so is damaged"
    assert "phi engine build" in in_use.notice


def test_a_missing_module_is_not_used() -> None:
    built().path.unlink()
    assert "no such file" in kernels_in_use(ENGINE).reason


def test_a_folder_in_place_of_the_module() -> None:
    path = built().path
    path.unlink()
    path.mkdir()
    assert "not a regular file" in kernels_in_use(ENGINE).reason


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_module_is_not_used() -> None:
    built().path.chmod(0)
    assert "permission denied" in kernels_in_use(ENGINE).reason


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"path": "x"}', "\x00", "[" * 100_000, '{"path": "../../x", "variant": "zen4"}']
)
def test_a_damaged_manifest_is_skipped(manifest: str) -> None:
    kernels = built()
    kernels.path.with_name("kernels.json").write_text(manifest)
    assert saved_kernels() == ()
    assert kernels_in_use(ENGINE).kernels is None


def test_a_manifest_cannot_name_a_file_elsewhere() -> None:
    kernels = built()
    write_manifest(kernels)
    manifest = kernels.path.with_name("kernels.json")
    manifest.write_text(manifest.read_text().replace("libggml", "../libggml"))
    assert read_manifest(kernels.path.parent) is None


def test_what_counts_as_faster() -> None:
    kernels = built()
    assert replace(kernels, prompt_ratio=1.05, decode_ratio=0.95).is_faster
    assert not replace(kernels, prompt_ratio=1.04).is_faster
    assert not replace(kernels, decode_ratio=0.94).is_faster


@pytest.mark.parametrize("choice", ["auto", "native", "wheel"])
def test_a_choice_is_saved(choice: Choice) -> None:
    assert read_choice() == "auto"
    write_choice(choice)
    assert read_choice() == choice


@pytest.mark.parametrize("content", [b"", b"both", b"\xff\xfe", b"wheel native"])
def test_a_choice_that_cannot_be_understood_is_auto(content: bytes) -> None:
    kernels_folder().mkdir(parents=True)
    (kernels_folder() / "use").write_bytes(content)
    assert read_choice() == "auto"


def test_a_choice_that_cannot_be_saved(home: Path) -> None:
    (home / "data").write_text("a file where the folder should be")
    with pytest.raises(PhiError, match="cannot be written"):
        write_choice("native")


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_only_the_owner_reads_what_is_saved() -> None:
    kernels = built()
    write_choice("native")
    remember_failure(kernels, "a reason")
    names = [kernels.path.with_name("kernels.json"), kernels.path.with_name("failed"), kernels_folder() / "use"]
    assert [path.stat().st_mode & 0o777 for path in names] == [0o600] * 3


def test_the_build_names_the_kernels() -> None:
    assert build_name("1.2.3") == "xllamacpp 1.2.3"
    assert build_name("1.2.3", built()) == "xllamacpp 1.2.3 (zen4 kernels)"


X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD  EPYC\n"
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (X86, "AMD EPYC (cpu family 25, model 17)"),
        (X86 + "stepping\t: 1\n\nprocessor\t: 1\nmodel\t: 99\n", "AMD EPYC (cpu family 25, model 17, stepping 1)"),
        (ARM, "implementer 0x41, variant 0x3, part 0xd0c"),
        ("model name\t: Some Board\n", "Some Board"),
        ("", ""),
    ],
)
def test_names_of_processors(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert processor_name(tmp_path / "cpuinfo", "linux") == name


def test_the_name_of_a_processor_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", "Intel64 Family 6 Model 154")
    assert processor_name(tmp_path / "missing", "win32") == "Intel64 Family 6 Model 154"
