"""Native kernels that are saved: which of them are used, and why others are not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from phicli.engine.kernels import (
    Choice,
    Kernels,
    build_name,
    damage_of,
    failure_of,
    folder_of,
    kernels_folder,
    read_choice,
    read_manifest,
    remember_failure,
    saved_kernels,
    write_choice,
    write_manifest,
)
from phicli.engine.package import engine_version
from phicli.engine.processor import processor_name
from phicli.engine.used_kernels import InUse, first_time, installed_kernels, kernels_in_use
from phicli.errors import PhiError

ENGINE = "1.2.3"
CONTENT = b"a module"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    return tmp_path


def built(
    variant: str = "zen4", *, engine: str = ENGINE, processor: str | None = None, prompts: float = 2.0
) -> Kernels:
    """Kernels as a build leaves them."""
    processor = processor_name() if processor is None else processor
    path = folder_of(engine, variant, processor) / f"libggml-cpu-{variant}.so"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    kernels = Kernels(path, variant, engine, processor, ("AVX512F",), len(CONTENT), digest, prompts, 1.1, "5" * 64)
    write_manifest(kernels)
    return kernels


def test_without_any_the_wheel_is_used() -> None:
    assert kernels_in_use(ENGINE) == InUse(None, "no native kernels were built", missing=True)
    assert installed_kernels() == kernels_in_use(ENGINE)
    assert saved_kernels() == ()
    assert not kernels_folder().exists(), "a look must not make a folder"


def test_kernels_of_this_engine_and_processor_are_used() -> None:
    kernels = built()
    assert saved_kernels() == (kernels,) == (read_manifest(kernels.path.parent),)
    in_use = kernels_in_use(ENGINE)
    assert (in_use.kernels, in_use.path, in_use.notice) == (kernels, kernels.path, "")
    assert in_use.reason == f"built for {processor_name()}"


def test_the_fastest_of_several_are_used() -> None:
    built("haswell", prompts=1.1)
    fast = built("zen4", prompts=2.0)
    built("skylakex", prompts=1.5)
    assert kernels_in_use(ENGINE).kernels == fast


def test_a_build_that_cannot_be_used_hides_no_other() -> None:
    broken, failed, works = built("zen4", prompts=3.0), built("icelake", prompts=2.5), built("skylakex", prompts=2.0)
    broken.path.write_bytes(b"other")
    remember_failure(failed, "the engine crashed")
    in_use = kernels_in_use(ENGINE)
    assert (in_use.kernels, in_use.notice) == (works, "")


def test_the_reason_is_that_of_the_build_that_comes_closest() -> None:
    built("haswell", engine="1.0", prompts=9.0)
    built("alderlake", processor="another", prompts=8.0)
    assert "another processor" in kernels_in_use(ENGINE).reason
    built("skylakex", prompts=1.0)
    in_use = kernels_in_use(ENGINE)
    assert (in_use.missing, in_use.notice) == (False, "")
    assert "not faster" in in_use.reason
    remember_failure(built("zen4"), "the engine crashed")
    assert kernels_in_use(ENGINE).notice.startswith("the native kernels are not used: the engine crashed; build them")


def test_no_kernels_are_used_or_missed_on_windows() -> None:
    built()
    in_use = kernels_in_use(ENGINE, "win32")
    assert (in_use.kernels, in_use.notice, in_use.missing) == (None, "", False)
    assert "Windows" in in_use.reason


def test_one_folder_that_cannot_be_read_hides_no_other() -> None:
    kernels = built()
    (kernels_folder() / "a").symlink_to("a")
    (kernels_folder() / "b").write_text("a file")
    (kernels_folder() / "c").symlink_to("/nowhere/at/all")
    (kernels_folder() / "d").mkdir()
    assert saved_kernels() == (kernels,)


def test_a_folder_that_cannot_be_read_is_named() -> None:
    kernels_folder().parent.mkdir()
    kernels_folder().write_text("a file where the folder should be")
    assert kernels_in_use(ENGINE) == InUse(None, f"the folder {kernels_folder()} cannot be read: not a directory")


def test_a_notice_that_cannot_be_recorded_is_said_once(home: Path) -> None:
    (home / "data").write_text("a file where the folder should be")
    assert first_time("a notice of this test")
    assert not first_time("a notice of this test")


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


def test_kernels_of_the_installed_engine() -> None:
    kernels = built(engine=version("xllamacpp"))
    assert engine_version() == version("xllamacpp")
    assert installed_kernels().kernels == kernels


def test_an_upgrade_of_the_engine_needs_a_new_build() -> None:
    built()
    in_use = kernels_in_use("1.2.4")
    assert in_use.kernels is None
    assert in_use.missing
    assert in_use.reason == "the native kernels are not used: they are for xllamacpp 1.2.3, but 1.2.4 is installed"
    assert "phi engine build" in in_use.notice


def test_a_home_that_another_machine_shares() -> None:
    built(processor="Another Processor 9000")
    in_use = kernels_in_use(ENGINE)
    assert in_use.kernels is None
    assert in_use.missing
    assert (
        in_use.reason
        == "the native kernels are not used: they were built for another processor: Another Processor 9000"
    )
    assert "phi engine build" in in_use.notice
    own = built()
    assert kernels_in_use(ENGINE).kernels == own


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


def test_kernels_that_are_not_faster_are_used_on_request_only() -> None:
    kernels = built(prompts=1.0)
    assert kernels_in_use(ENGINE) == InUse(
        None, "the native kernels are not used: they were not faster than those of the wheel in their trial"
    )
    write_choice("native")
    assert kernels_in_use(ENGINE).kernels == kernels


def test_what_counts_as_faster() -> None:
    kernels = built()
    assert replace(kernels, prompt_ratio=1.05, decode_ratio=0.95).is_faster
    assert not replace(kernels, prompt_ratio=1.04).is_faster
    assert not replace(kernels, decode_ratio=0.94).is_faster


def test_the_wheel_by_choice() -> None:
    built()
    write_choice("wheel")
    in_use = kernels_in_use(ENGINE)
    assert (in_use.kernels, in_use.notice) == (None, "")
    assert "phi engine use auto" in in_use.reason


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


def test_kernels_that_failed_are_not_tried_again() -> None:
    kernels = built()
    assert failure_of(kernels) == ""
    assert remember_failure(kernels, "its process crashed with SIGILL")
    assert failure_of(kernels) == "its process crashed with SIGILL"
    in_use = kernels_in_use(ENGINE)
    assert in_use.kernels is None
    assert in_use.reason == "the native kernels are not used: its process crashed with SIGILL"
    assert "phi engine build" in in_use.notice


def test_a_new_build_or_a_choice_forgets_the_failure() -> None:
    kernels = built()
    remember_failure(kernels, "a reason")
    write_manifest(kernels)
    assert kernels_in_use(ENGINE).kernels == kernels
    remember_failure(kernels, "a reason")
    write_choice("wheel")
    assert failure_of(kernels) == "a reason"
    write_choice("auto")
    assert kernels_in_use(ENGINE).kernels == kernels


def test_a_failure_that_cannot_be_saved() -> None:
    kernels = built()
    gone = replace(kernels, path=kernels.path / "no folder" / "module.so")
    assert not remember_failure(gone, "a reason")
    assert failure_of(gone) == "a reason", "this process does not try them again"


def test_a_notice_is_said_once_until_the_next_build() -> None:
    kernels = built()
    assert first_time("a notice")
    assert not first_time("a notice")
    assert first_time("another notice")
    assert not first_time("a notice")
    write_manifest(kernels)
    assert first_time("a notice")


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


@pytest.mark.process
def test_a_chat_without_native_kernels_does_not_wait_for_the_question() -> None:
    code = (
        "import sys; from phicli.engine.used_kernels import installed_kernels; installed_kernels()\n"
        "print(sorted({'hashlib', 'ctypes', 'importlib.metadata', 'xllamacpp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
