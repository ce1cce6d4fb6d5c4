"""Native kernels for tests.

``PHI_TEST_KERNELS=PATH`` names a CPU module that was built for this machine, such as
``libggml-cpu-zen4.so``. All engines of the tests then compute with it, where a test does not say otherwise.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest

from phicli.engine.kernels import Kernels, folder_of, write_manifest
from phicli.engine.processor import processor_name

ENGINE: Final = "1.2.3"
CONTENT: Final = b"a module"
_VARIABLE: Final = "PHI_TEST_KERNELS"
COMPILER: Final = None if sys.platform == "win32" else shutil.which("cc")
CRASHING: Final = """
#include <stdlib.h>
int ggml_backend_score(void) { abort(); }
"""
UNSUITABLE: Final = "int ggml_backend_score(void) { return 0; }"
"""Sources of modules in C: one that ends its process, and one that no processor can run."""


def native_module() -> Path | None:
    """The module that the tests run on; None for the kernels of the wheel."""
    named = os.environ.get(_VARIABLE)
    return Path(named).absolute() if named else None


def save_kernels(
    module: Path,
    *,
    engine: str | None = None,
    processor: str | None = None,
    sets: tuple[str, ...] = ("AVX2", "AVX512F", "AVX512_VNNI"),
    prompt_ratio: float = 2.0,
    decode_ratio: float = 1.1,
) -> Kernels:
    """``module`` as ``phi engine build`` leaves it in the folder of phi; a link to it, as it may need others beside it.

    Args:
        module: called ``libggml-cpu-VARIANT`` and a suffix.
        engine: the version of xllamacpp; the installed one when None.
        processor: what it was built for; this one when None.
        sets: the instruction sets that it has.
        prompt_ratio: of its trial.
        decode_ratio: of its trial.
    """
    engine = version("xllamacpp") if engine is None else engine
    processor = processor_name() if processor is None else processor
    variant = module.name.rpartition("ggml-cpu-")[2].rpartition(".")[0]
    path = folder_of(engine, variant, processor) / module.name
    path.parent.mkdir(parents=True)
    path.symlink_to(module)
    content = module.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    kernels = Kernels(path, variant, engine, processor, sets, len(content), digest, prompt_ratio, decode_ratio)
    write_manifest(kernels)
    return kernels


def save_in(home: Path, module: Path | None = None, **about: Any) -> Kernels | None:
    """:func:`save_kernels` for a ``phi`` whose ``PHI_HOME`` is ``home``: ``module``, else that which the tests run on.

    None without any.
    """
    module = module or native_module()
    if module is None:
        return None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_HOME", str(home))
        return save_kernels(module, **about)


def compiled(folder: Path, source: str, variant: str = "made") -> Path:
    """A library made of C ``source``, called like a module; needs :data:`COMPILER`."""
    assert COMPILER is not None
    (folder / "source.c").write_text(source)
    path = folder / f"libggml-cpu-{variant}.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", path, folder / "source.c"], check=True)
    return path


@pytest.fixture(scope="session", autouse=True)
def tests_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of phi for tests that name none: nothing of the person who runs them is read or written."""
    home = tmp_path_factory.mktemp("phi-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_HOME", str(home))
        save_in(home)
        yield home


def built(
    variant: str = "zen4", *, engine: str = ENGINE, processor: str | None = None, prompts: float = 2.0
) -> Kernels:
    """Kernels as a build leaves them, of a module that no engine can load."""
    processor = processor_name() if processor is None else processor
    path = folder_of(engine, variant, processor) / f"libggml-cpu-{variant}.so"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    kernels = Kernels(path, variant, engine, processor, ("AVX512F",), len(CONTENT), digest, prompts, 1.1, "5" * 64)
    write_manifest(kernels)
    return kernels
