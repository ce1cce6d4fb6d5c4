"""What kernels were compiled for is asked in a separate process, which may die of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from phicli.hardware.kernel_variants import Variant, variants_for
from phicli.kernels.probing import Facts, RejectedError, check_module, facts_of_engine
from tests.support.building import c_module
from tests.support.kernels import native_module

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="the engine may not export what is asked here"),
]


@pytest.fixture(scope="module")
def engine(starts_process: None) -> Facts:
    return facts_of_engine()


@pytest.fixture
def variant() -> Variant:
    return variants_for("linux", "x86_64", ("AVX2", "AVX512F"))[0]


def test_the_engine_reports_its_version_and_instruction_sets(engine: Facts) -> None:
    assert engine.ggml_version.count(".") == 2
    assert engine.features


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ("return 0;", "this processor cannot run it"),
        ("abort();", "loading them crashed with SIGABRT"),
        ("exit(0); ", "loading them failed with exit code 0"),
    ],
)
def test_kernels_that_cannot_run_here_are_rejected(
    tmp_path: Path, engine: Facts, variant: Variant, score: str, said: str
) -> None:
    module = c_module(tmp_path / "module.so", score, engine.ggml_version)
    with pytest.raises(RejectedError, match=said) as caught:
        check_module(module, variant, engine)
    assert caught.value.exit_code == 6


def test_kernels_that_hang_are_ended(tmp_path: Path, engine: Facts, variant: Variant) -> None:
    module = c_module(tmp_path / "module.so", "for (;;) pause();", engine.ggml_version)
    with pytest.raises(RejectedError, match="did not end in time"):
        check_module(module, variant, engine, limit_s=2)


def test_a_file_that_is_no_library_is_rejected(tmp_path: Path, engine: Facts, variant: Variant) -> None:
    (tmp_path / "module.so").write_text("text")
    with pytest.raises(RejectedError, match="the engine cannot use them: it cannot be opened"):
        check_module(tmp_path / "module.so", variant, engine)


def test_a_library_without_the_functions_of_a_module_is_rejected(
    tmp_path: Path, engine: Facts, variant: Variant
) -> None:
    module = c_module(tmp_path / "module.so", "return 1;", engine.ggml_version)
    with pytest.raises(RejectedError, match="the engine refused it"):
        check_module(module, variant, engine)


@pytest.mark.skipif(native_module() is None, reason="no kernels were built: PHI_TEST_KERNELS")
def test_native_kernels_report_what_they_were_compiled_for(engine: Facts) -> None:
    module = native_module()
    assert module is not None
    every = ("AVX2", "AVX_VNNI", "AVX512F", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AMX")
    variants = {f"lib{one.target}.so": one for one in variants_for("linux", "x86_64", every)}
    check_module(module, variants[module.name], engine)
    with pytest.raises(RejectedError, match=r"they belong to ggml .*, but the engine has 0\.0\.1"):
        check_module(module, variants[module.name], Facts("0.0.1", engine.features))
    if module.name != "libggml-cpu-sapphirerapids.so":
        with pytest.raises(RejectedError, match=r"they do not use .*AMX_INT8"):
            check_module(module, variants["libggml-cpu-sapphirerapids.so"], engine)
