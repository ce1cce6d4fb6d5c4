"""A build from its beginning to its end, with programs and archives that stand for the real ones.

The real build is a step of the gate (``.ci/run``).
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from phicli.engine.kernels import kernels_folder, remember_failure, saved_kernels, write_choice
from phicli.errors import DoesNotFitError, EngineError, IntegrityError, NotFoundError, UsageError
from phicli.hardware.types import Cpu
from phicli.kernels.build import build, refuse_system
from phicli.kernels.probing import RejectedError, facts_of_engine
from tests.support.building import Watcher, behavior, c_module, ggml_files, install_tools, source_archive
from tests.support.disks import make_read_only, small_file_system
from tests.support.kernels import native_module, save_kernels

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the programs stand for those of Linux on x86"
    ),
]

OLD = Cpu("old", 2, 2, ("SSE4_2", "AVX", "AVX2", "FMA", "F16C"))
NEW = Cpu("new", 2, 2, (*OLD.instruction_sets, "AVX512F", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose compiler, cmake and ninja are small programs."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("PATH", f"{install_tools(tmp_path / 'programs')}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CXX", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path / "phi"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return source_archive(tmp_path / "x.tar.gz", ggml_files(facts_of_engine().ggml_version))


def tools_do(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    monkeypatch.setenv(*behavior(**values).popitem())


def assert_nothing_is_left(tmp_path: Path) -> None:
    assert list((tmp_path / "temporary").iterdir()) == []
    assert saved_kernels() == ()
    assert not kernels_folder().exists()


def test_nothing_is_built_where_nothing_is_gained(tmp_path: Path, archive: Path) -> None:
    watcher = Watcher()
    outcome = build(archive, watcher, cpu=OLD)
    assert (outcome.kernels, outcome.built) == (None, False)
    assert outcome.reason == "the kernels of the wheel already use AVX2"
    assert watcher.phases == ["checking the processor and the engine"]
    assert_nothing_is_left(tmp_path)


def test_windows_is_refused_with_the_reason() -> None:
    refuse_system("linux")
    with pytest.raises(EngineError, match="native kernels do not work on Windows: the engine there lacks") as caught:
        refuse_system("win32")
    assert caught.value.exit_code == 6


def test_a_processor_without_variants_builds_nothing(archive: Path) -> None:
    outcome = build(archive, Watcher(), cpu=Cpu("very old", 1, 1, ("SSE4_2",)))
    assert outcome.kernels is None
    assert "no other kernels for this kind of processor" in outcome.reason


def test_the_compilers_words_are_shown_and_saved(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools_do(monkeypatch, says="quants.c:1:2: error: unknown type name 'x'")
    watcher = Watcher()
    with pytest.raises(EngineError, match="unknown type name 'x'") as caught:
        build(archive, watcher, cpu=NEW)
    assert watcher.log[-1] == "quants.c:1:2: error: unknown type name 'x'"
    assert watcher.steps == [(1, 2)]
    log = Path(str((caught.value.data or {})["log"]))
    assert caught.value.hint == f"read the log: {log}"
    assert "unknown type name" in log.read_text()
    assert_nothing_is_left(tmp_path)


def test_a_compiler_without_space_is_a_full_disk(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools_do(monkeypatch, says="fatal error: error writing to x.o: No space left on device")
    with pytest.raises(DoesNotFitError, match="the disk is full") as caught:
        build(archive, Watcher(), cpu=NEW)
    assert "TMPDIR" in caught.value.hint
    assert_nothing_is_left(tmp_path)


def test_an_old_compiler_gets_the_best_variant_that_it_accepts(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module.so").write_text("text")
    tools_do(monkeypatch, module=str(tmp_path / "module.so"), refused_flags=["-mavx512bf16"])
    watcher = Watcher()
    with pytest.raises(RejectedError, match="cannot be opened"):
        build(archive, watcher, cpu=NEW)
    assert "compiling the kernels icelake" in watcher.phases
    tools_do(monkeypatch, refused_flags=["-mavx512f"])
    with pytest.raises(NotFoundError, match="too old for this processor") as caught:
        build(archive, Watcher(), cpu=NEW)
    assert "CXX=" in caught.value.hint


@pytest.mark.parametrize("score", ["return 0;", "abort();"])
def test_kernels_that_fail_their_trial_are_not_saved(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, score: str
) -> None:
    module = c_module(tmp_path / "module.so", score, facts_of_engine().ggml_version)
    tools_do(monkeypatch, module=str(module))
    with pytest.raises(RejectedError, match="nothing was saved"):
        build(archive, Watcher(), cpu=NEW)
    assert_nothing_is_left(tmp_path)


def test_sources_of_another_ggml_are_refused(tmp_path: Path) -> None:
    archive = source_archive(tmp_path / "x.tar.gz", ggml_files("0.0.1"))
    with pytest.raises(IntegrityError, match=r"the sources have ggml 0\.0\.1, but the installed engine has"):
        build(archive, Watcher(), cpu=NEW)
    assert_nothing_is_left(tmp_path)


def test_what_is_built_already_is_not_built_again(tmp_path: Path, archive: Path) -> None:
    module = tmp_path / "libggml-cpu-zen4.so"
    module.write_bytes(b"code")
    saved = save_kernels(module)
    outcome = build(archive, Watcher(), cpu=NEW)
    assert (outcome.kernels, outcome.built, outcome.in_use) == (saved, False, True)
    assert outcome.reason == "already built"


def test_kernels_that_failed_are_built_again(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what each message about them says to do."""
    module = tmp_path / "libggml-cpu-zen4.so"
    module.write_bytes(b"code")
    remember_failure(save_kernels(module), "the engine crashed")
    tools_do(monkeypatch, module=str(module))
    watcher = Watcher()
    with pytest.raises(RejectedError, match="cannot be opened"):
        build(archive, watcher, cpu=NEW)
    assert "compiling the kernels zen4" in watcher.phases


def test_a_disk_that_is_too_small_is_found_before_anything_is_built(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk / "phi"))
        watcher = Watcher()
        with pytest.raises(DoesNotFitError, match=r"a build needs 8\.0 MiB on the disk of") as caught:
            build(archive, watcher, cpu=NEW)
        assert "PHI_HOME" in caught.value.hint
        assert list(disk.iterdir()) == []
        assert len(watcher.phases) == 1


@pytest.mark.parametrize("kind", ["noexec", "read-only"])
def test_a_folder_for_kernels_that_cannot_be_used_is_named_first(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with small_file_system(tmp_path / "disk", "size=20m" + (",noexec" if kind == "noexec" else "")) as disk:
        monkeypatch.setenv("PHI_HOME", str(disk / "phi"))
        if kind == "noexec":
            with pytest.raises(UsageError, match="mounted with noexec") as caught:
                build(archive, Watcher(), cpu=NEW)
            assert "PHI_HOME" in caught.value.hint
        else:
            make_read_only(disk)
            with pytest.raises(OSError, match=r"Read-only .*phi"):
                build(archive, Watcher(), cpu=NEW)
        assert list(disk.iterdir()) == []


@pytest.mark.skipif(native_module() is None, reason="no kernels were built: PHI_TEST_KERNELS")
def test_kernels_that_pass_their_trial_are_saved_and_used(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phicli.hardware.cpu_facts import describe_cpu

    tools_do(monkeypatch, module=str(native_module()))
    write_choice("native")
    watcher = Watcher()
    outcome = build(archive, watcher, cpu=describe_cpu()[0])
    assert outcome.kernels is not None
    assert outcome.built
    assert outcome.in_use
    assert saved_kernels() == (outcome.kernels,)
    assert watcher.phases[-1] == "measuring the speed of the kernels"
    assert list((tmp_path / "temporary").iterdir()) == []
