"""Source archives, compilers and kernels of a test's own: small, and quick to make."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

ENGINE: Final = version("xllamacpp")
GGML: Final = "thirdparty/llama.cpp/ggml"

_BACKEND: Final = """
import pathlib
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    made = pathlib.Path(folder) / "xllamacpp-{version}.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\\nName: xllamacpp\\nVersion: {version}\\n")
    return made.name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise SystemExit("this archive must not be built")
"""
_PROJECT: Final = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'

_PROGRAM: Final = '''#!{python}
"""Looks like c++, cmake and ninja from outside; ``FAKE_TOOLS`` (JSON) says how it behaves."""
import json, os, pathlib, shutil, sys, time
name, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
behavior = json.loads(os.environ.get("FAKE_TOOLS", "{{}}"))
if words == ["--version"]:
    print(behavior.get(name, "3.25.1"))
elif name == "c++":
    sys.exit(any(word in behavior.get("refused_flags", []) for word in words))
elif name == "cmake":
    pathlib.Path(words[words.index("-B") + 1], "bin").mkdir(parents=True)
elif "says" in behavior:
    print("[1/2] Building CXX object")
    print(behavior["says"])
    sys.exit(1)
else:
    print("[1/2] Building CXX object", flush=True)
    if "waits" in behavior:
        pathlib.Path(behavior["waits"]).write_text(str(os.getpid()))
        time.sleep(600)
    module = pathlib.Path(words[words.index("-C") + 1], "bin", f"lib{{words[-1]}}.so")
    shutil.copyfile(behavior["module"], module)
    print("[2/2] Linking CXX shared module")
'''

_MODULE: Final = """
#include <stdlib.h>
#include <unistd.h>
const char * ggml_version(void) { return "%s"; }
int ggml_backend_score(void) { %s }
"""


def ggml_files(ggml_version: str = "0.26.0") -> dict[str, bytes]:
    """Files of an archive: what the engine's own has, as far as a build looks at it."""
    major, minor, patch = ggml_version.split(".")
    numbers = zip(("MAJOR", "MINOR", "PATCH"), (major, minor, patch), strict=True)
    lines = "\n".join(f"set(GGML_VERSION_{name} {number})" for name, number in numbers)
    return {
        f"{GGML}/CMakeLists.txt": lines.encode(),
        f"{GGML}/src/ggml-cpu/ggml-cpu.c": b"int cpu;",
        f"{GGML}/src/ggml-cuda/ggml-cuda.cu": b"int cuda;",
        "thirdparty/llama.cpp/src/llama.cpp": b"int llama;",
        "pyproject.toml": _PROJECT.encode(),
        "backend.py": _BACKEND.format(version=ENGINE).encode(),
    }


def source_archive(
    path: Path, files: Mapping[str, bytes], *, name: str = "xllamacpp", version: str = ENGINE,
    members: Sequence[tarfile.TarInfo] = (),
) -> Path:  # fmt: skip
    """A source archive at ``path`` with ``files`` in its folder, and ``members`` without content."""
    facts = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    with tarfile.open(path, "w:gz") as archive:
        for place, content in {"PKG-INFO": facts, **files}.items():
            member = tarfile.TarInfo(f"{name}-{version}/{place}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return path


def install_tools(folder: Path, *names: str) -> Path:
    """Programs called ``names`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    for name in names or ("c++", "cmake", "ninja"):
        path = folder / name
        path.write_text(_PROGRAM.format(python=sys.executable), encoding="utf-8")
        path.chmod(0o755)
    return folder


def behavior(**values: object) -> dict[str, str]:
    """The variable that tells the programs of :func:`install_tools` what to do."""
    return {"FAKE_TOOLS": json.dumps(values)}


def c_module(path: Path, score: str, ggml_version: str = "0.26.0") -> Path:
    """A library with the functions that are asked first: ``score`` is the body of ``ggml_backend_score``, in C.

    The test is skipped where there is no C compiler.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler here")
    source = path.with_suffix(".c")
    source.write_text(_MODULE % (ggml_version, score), encoding="utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    return path


class Watcher:
    """Remembers what a build reports."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.steps: list[tuple[int, int]] = []
        self.notices: list[str] = []
        self.log: list[str] = []

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def log_end(self, lines: Sequence[str]) -> None:
        self.log.extend(lines)
