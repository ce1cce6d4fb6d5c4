"""What the checkup finds wrong, from what it was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.doctor.answer_check import wrong_answer
from phicli.doctor.folder_check import cache_facts, cache_problems, smallest_download, state_problems, why_not_writable
from phicli.doctor.hub_check import check_hub
from phicli.doctor.machine_check import engine_problems, gpu_problems, memory_problems
from phicli.doctor.types import CacheFacts
from phicli.hardware.engine_answer import EngineAnswer, parse_answer
from phicli.hardware.types import Cpu, Gpu, Machine
from tests.support.kernels import save_kernels

BUILD = "xllamacpp 1.2.3"
X86 = EngineAnswer(kernels=("AVX", "AVX2", "FMA"))
OLD = ("SSE4_2", "AVX")
NEW = ("SSE4_2", "AVX", "AVX2", "FMA", "AVX512F")
WHY = "this build of the engine has no CUDA, or no driver for it is installed: pip install a-build"


def machine(*gpus: Gpu) -> Machine:
    return Machine(memory=None, cpu=Cpu("a processor", 4, 8, NEW), gpus=gpus)


def card(*, usable: bool = False, unified: bool = False, why: str | None = WHY) -> Gpu:
    return Gpu("RTX 3060", "CUDA", 12 << 30, None, usable, "nvidia-smi", None if usable else why, unified)


def test_an_engine_that_fits_its_processor_has_no_problem() -> None:
    assert list(engine_problems(BUILD, X86, NEW)) == []
    assert list(engine_problems(BUILD, X86, ())) == []  # nobody knows what the processor has


def test_instructions_that_the_processor_does_not_have() -> None:
    (problem,) = engine_problems(BUILD, X86, OLD)
    assert problem.code == "engine_needs_instructions"
    assert "built for AVX2, FMA" in problem.message
    assert "--no-binary" in problem.hint


def test_an_engine_that_is_missing_or_crashes() -> None:
    (missing,) = engine_problems("xllamacpp (not installed)", EngineAnswer(failure="it crashed"), NEW)
    (failed,) = engine_problems(BUILD, EngineAnswer(failure="the engine's list of devices crashed"), NEW)
    assert (missing.code, failed.code) == ("engine_missing", "engine_failed")
    assert "pip install" in missing.hint
    assert "pip install" in failed.hint


def test_a_card_that_this_build_cannot_use_comes_with_the_command() -> None:
    (problem,) = gpu_problems(machine(card()))
    assert problem.code == "gpu_unused"
    assert problem.message == (
        "RTX 3060 is not used: this build of the engine has no CUDA, or no driver for it is installed"
    )
    assert problem.hint == "pip install a-build"


@pytest.mark.parametrize("gpu", [card(usable=True), card(unified=True)], ids=["used", "shares main memory"])
def test_cards_that_are_no_problem(gpu: Gpu) -> None:
    assert list(gpu_problems(machine(gpu))) == []


def test_a_card_without_a_reason() -> None:
    (problem,) = gpu_problems(machine(card(why=None)))
    assert (problem.message, problem.hint) == ("RTX 3060 is not used: no driver", "")


def test_memory_that_nobody_tells_of() -> None:
    (problem,) = memory_problems(machine())
    assert problem.code == "memory_unknown"
    assert "--ram" in problem.hint


def test_folders_that_can_be_written(tmp_path: Path) -> None:
    assert why_not_writable(tmp_path) is None
    assert why_not_writable(tmp_path / "not" / "there") is None
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert why_not_writable(file / "below") == f"{file} is not a folder"
    (problem,) = state_problems({"settings": tmp_path, "history": file / "below"})
    assert problem.code == "state_read_only"
    assert problem.message.startswith("phi cannot save its history: ")
    assert "PHI_HOME" in problem.hint


def test_a_cache_with_too_little_space() -> None:
    name, needed = smallest_download()
    (problem,) = cache_problems(CacheFacts(Path("/cache"), writable=True, free_bytes=needed - 1))
    assert problem.code == "disk_full"
    assert name in problem.message
    assert list(cache_problems(CacheFacts(Path("/cache"), writable=True, free_bytes=needed))) == []
    assert list(cache_problems(CacheFacts(Path("/cache"), writable=True, free_bytes=None))) == []


def test_a_cache_that_does_not_exist_yet_is_fine(tmp_path: Path) -> None:
    facts = cache_facts(tmp_path / "hub")
    assert (facts.path, facts.writable) == (tmp_path / "hub", True)
    assert facts.free_bytes is not None


def test_offline_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    facts, problem = check_hub()
    assert (facts.reachable, problem) == (None, None)
    assert facts.endpoint == "http://127.0.0.1:9"


def test_the_proxy_and_the_certificates_are_named_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.test")
    monkeypatch.setenv("HTTPS_PROXY", "http://somebody:secret@proxy.test:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/company.pem")
    facts, _ = check_hub()
    assert facts.proxy == "http://proxy.test:3128 (HTTPS_PROXY)"
    assert facts.certificates == "SSL_CERT_FILE=/etc/company.pem"


def test_what_the_engine_was_built_for() -> None:
    text = '{"features": ["AVX2", "LLAMAFILE", "AVX512", 3]}\nsome driver\n[]\n'
    assert parse_answer(text).kernels == ("AVX2", "AVX512F")
    assert parse_answer(text).features == ("AVX2", "LLAMAFILE", "AVX512")
    assert parse_answer('{"features": 1}\n[]').kernels == ()
    assert parse_answer('{"features": ["AVX2"]}\n').kernels == ("AVX2",)  # it crashed at the devices


def test_a_wrong_answer_is_blamed_on_native_kernels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    assert "another build of the engine" in wrong_answer("Rome").hint
    (tmp_path / "libggml-cpu-zen4.so").write_bytes(b"a module")
    save_kernels(tmp_path / "libggml-cpu-zen4.so")
    assert "phi engine use wheel" in wrong_answer("Rome").hint
