"""Which of the saved native kernels are used, and why others are not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from phicli.engine.kernels import (
    failure_of,
    kernels_folder,
    read_manifest,
    remember_failure,
    saved_kernels,
    write_choice,
    write_manifest,
)
from phicli.engine.package import engine_version
from phicli.engine.processor import processor_name
from phicli.engine.used_kernels import InUse, first_time, installed_kernels, kernels_in_use
from tests.support.kernels import ENGINE, built


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    return tmp_path


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


def test_kernels_that_are_not_faster_are_used_on_request_only() -> None:
    kernels = built(prompts=1.0)
    assert kernels_in_use(ENGINE) == InUse(
        None, "the native kernels are not used: they were not faster than those of the wheel in their trial"
    )
    write_choice("native")
    assert kernels_in_use(ENGINE).kernels == kernels


def test_the_wheel_by_choice() -> None:
    built()
    write_choice("wheel")
    in_use = kernels_in_use(ENGINE)
    assert (in_use.kernels, in_use.notice) == (None, "")
    assert "phi engine use auto" in in_use.reason


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


@pytest.mark.process
def test_a_chat_without_native_kernels_does_not_wait_for_the_question() -> None:
    code = (
        "import sys; from phicli.engine.used_kernels import installed_kernels; installed_kernels()\n"
        "print(sorted({'hashlib', 'ctypes', 'importlib.metadata', 'xllamacpp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
