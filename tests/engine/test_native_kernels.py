"""The worker and native kernels: what it loads, what it falls back to, and what it remembers.

The modules here are harmless files, and small libraries that a C compiler makes. The one of ``PHI_TEST_KERNELS`` is a
real one: see ``tests/support/kernels.py``.
"""

from __future__ import annotations

import os
import runpy
import signal
from importlib.metadata import version
from pathlib import Path

import pytest

from phicli.engine.engine_process import WORKER
from phicli.engine.exit_codes import crashed, how_it_crashed
from phicli.engine.kernels import failure_of
from phicli.engine.process import WorkerProcess
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import Chunk, LoadSettings, Sampling
from phicli.engine.used_kernels import installed_kernels
from phicli.errors import EngineDiedError
from tests.engine.conftest import QUESTION, tiny_settings
from tests.support.kernels import COMPILER, CRASHING, UNSUITABLE, compiled, native_module, save_kernels

pytestmark = pytest.mark.process

WHEEL = f"xllamacpp {version('xllamacpp')}"
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

WITHOUT_FUNCTIONS = "int nothing(void) { return 0; }"
HANGING = """
#include <unistd.h>
__attribute__((constructor)) static void hang(void) { for (;;) pause(); }
int ggml_backend_score(void) { return 1; }
"""
EXITING = """
#include <unistd.h>
int ggml_backend_score(void) { _exit(3); }
"""
PRINTING = r"""
#include <unistd.h>
int ggml_backend_score(void) {
    static const char text[] = "hello\n{\"address\"\n[]\n\"address\"\n{}\n\xff\xfe{\"address\": \"x\"}";
    return write(1, text, sizeof text - 1) < 0;
}
"""
OTHER_VERSION = """
static struct { int version; void *rest[16]; } registration = { 1 };
int ggml_backend_score(void) { return 1; }
void *ggml_backend_init(void) { return &registration; }
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of phi without kernels."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "phi"


def answer(process: WorkerProcess, settings: LoadSettings | None = None) -> str:
    """What tiny-phi answers in ``process``, which ends then."""
    settings = settings or tiny_settings()
    process.load(settings)
    engine = LlamaServerEngine(settings, process=process)
    try:
        prompt = engine.tokenize(QUESTION, parse_special=True)
        return "".join(event.text for event in engine.generate(prompt, Sampling()) if isinstance(event, Chunk))
    finally:
        engine.close()


def test_the_kernels_of_the_wheel(home: Path, tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path)
    assert "Paris" in answer(process)
    assert (process.build, process.kernels, process.kernels_failed) == (WHEEL, None, "")


@pytest.mark.skipif(native_module() is None, reason="PHI_TEST_KERNELS names no module")
def test_native_kernels(home: Path, tmp_path: Path) -> None:
    path = native_module()
    assert path is not None
    kernels = save_kernels(path)
    process = WorkerProcess(tmp_path / "logs")
    assert "Paris" in answer(process)
    assert process.build == f"{WHEEL} ({kernels.variant} kernels)"
    assert (process.kernels, process.kernels_failed, failure_of(kernels)) == (kernels.variant, "", "")
    assert list((tmp_path / "logs").iterdir()) == []
    chosen = WorkerProcess(tmp_path / "logs", kernels=None)
    assert "Paris" in answer(chosen)
    assert chosen.build == WHEEL


def refused(process: WorkerProcess) -> str:
    """Why the worker does not use the module that it was given; it answers with the kernels of the wheel."""
    assert "Paris" in answer(process)
    assert (process.build, process.kernels) == (WHEEL, None)
    return process.kernels_failed


def test_a_file_that_is_not_a_module(tmp_path: Path) -> None:
    path = tmp_path / "libggml-cpu-text.so"
    path.write_text("hello")
    assert refused(WorkerProcess(tmp_path, kernels=path)).startswith("it cannot be opened: ")


def test_a_missing_module(tmp_path: Path) -> None:
    assert refused(WorkerProcess(tmp_path, kernels=tmp_path / "missing.so")).startswith("it cannot be opened: ")


@needs_compiler
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (WITHOUT_FUNCTIONS, "a function is missing: "),
        (UNSUITABLE, "this processor cannot run it"),
        (OTHER_VERSION, "the engine refused it: it belongs to another version"),
    ],
    ids=["without functions", "unsuitable", "other version"],
)
def test_a_module_that_does_not_work_here(tmp_path: Path, source: str, reason: str) -> None:
    assert refused(WorkerProcess(tmp_path, kernels=compiled(tmp_path, source))).startswith(reason)


@needs_compiler
def test_kernels_that_do_not_work_are_tried_once(home: Path, tmp_path: Path) -> None:
    kernels = save_kernels(compiled(tmp_path, UNSUITABLE))
    assert installed_kernels().kernels == kernels
    assert refused(WorkerProcess(tmp_path)) == "this processor cannot run it"
    assert failure_of(kernels) == "this processor cannot run it"
    assert refused(WorkerProcess(tmp_path)) == "", "they are not tried again"
    in_use = installed_kernels()
    assert in_use.reason == "the native kernels are not used: this processor cannot run it"
    assert "phi engine build" in in_use.notice


@needs_compiler
def test_kernels_that_crash_are_tried_once(home: Path, tmp_path: Path) -> None:
    kernels = save_kernels(compiled(tmp_path, CRASHING))
    logs = tmp_path / "logs"
    said = "the engine crashed with SIGABRT while it loaded a model"
    assert refused(WorkerProcess(logs)) == said == failure_of(kernels)
    assert list(logs.iterdir()) == []
    assert refused(WorkerProcess(logs)) == ""


@needs_compiler
@pytest.mark.parametrize(
    ("source", "limit_s", "said"),
    [
        (HANGING, 1, "loading them took longer than 1 s"),
        (EXITING, 60, "the engine ended with exit code 3 while it loaded a model"),
        (EXITING.replace("3", "0"), 60, "the engine ended with exit code 0 while it loaded a model"),
    ],
    ids=["hanging", "exiting", "exiting as if all were well"],
)
def test_kernels_that_never_let_the_engine_reply_are_tried_once(
    home: Path, tmp_path: Path, source: str, limit_s: int, said: str
) -> None:
    kernels = save_kernels(compiled(tmp_path, source))
    assert refused(WorkerProcess(tmp_path, kernels_limit_s=limit_s)) == said == failure_of(kernels)
    assert refused(WorkerProcess(tmp_path, kernels_limit_s=limit_s)) == ""


@needs_compiler
def test_what_a_module_prints_is_not_taken_for_the_reply(home: Path, tmp_path: Path) -> None:
    save_kernels(compiled(tmp_path, PRINTING))
    assert refused(WorkerProcess(tmp_path)) == "this processor cannot run it"


@needs_compiler
def test_a_crash_of_a_module_under_trial_is_an_error(tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path, kernels=compiled(tmp_path, CRASHING))
    with pytest.raises(EngineDiedError, match="crashed with SIGABRT") as caught:
        answer(process)
    assert caught.value.crashed


def test_a_crash_in_an_answer_with_native_kernels_names_the_way_without_them(home: Path, tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path, kernels=None)
    process.load(tiny_settings())
    process.wait_ready()
    process.kernels = "zen4"
    os.kill(process.pid, signal.SIGSEGV)
    assert "phi engine use wheel" in process.failure("the engine stopped").hint
    process.close()


@needs_compiler
def test_kernels_are_not_blamed_for_a_file_that_does_not_load(home: Path, tmp_path: Path) -> None:
    kernels = save_kernels(compiled(tmp_path, CRASHING))
    path = tmp_path / "text.gguf"
    path.write_text("hello, I am no model")
    with pytest.raises(EngineDiedError, match="invalid magic characters"):
        answer(WorkerProcess(tmp_path), LoadSettings(path, 256, tiny_settings().engine))
    assert failure_of(kernels) == ""


@needs_compiler
def test_a_process_that_is_closed_while_its_kernels_crash_stays_closed(home: Path, tmp_path: Path) -> None:
    save_kernels(compiled(tmp_path, CRASHING))
    process = WorkerProcess(tmp_path)
    process.load(tiny_settings())
    process.close()
    with pytest.raises(EngineDiedError):
        process.wait_ready()


def test_the_wheel_stands_in_for_a_library_without_the_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's library for Windows does not export them."""
    (tmp_path / "xllamacpp").mkdir()
    (tmp_path / "xllamacpp" / "__init__.py").write_text(_ENGINE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = WorkerProcess(tmp_path / "logs", kernels=tmp_path / "libggml-cpu-made.so")
    process.load(tiny_settings())
    assert process.wait_ready() == "http://here"
    assert process.kernels_failed.startswith("a function is missing: ")
    assert process.build == "xllamacpp 1.2.3"
    process.close()


_ENGINE = """
__version__ = "1.2.3"

class Anything:
    def __getattr__(self, name):
        return self if not name.startswith(("GGML", "LLAMA", "COMMON")) else 0

CommonParams = Anything
ggml_type = llama_flash_attn_type = common_reasoning_format = Anything()

class Server:
    listening_address = "http://here"

    def __init__(self, params):
        pass
"""


def test_why_a_module_cannot_be_opened(tmp_path: Path) -> None:
    why_not_opened = runpy.run_path(str(WORKER))["why_not_opened"]
    path = str(tmp_path / "module.so")
    assert why_not_opened(path, OSError(f"{path}: invalid ELF header")) == "invalid ELF header"
    lacking = "libother.so.1: cannot open shared object file"
    assert why_not_opened(path, OSError(lacking)) == lacking, "another file that the module needs"


def test_a_disk_that_allows_no_programs_is_named() -> None:
    mounts = Path("/proc/self/mounts")
    lines = [line.split() for line in mounts.read_text().splitlines()] if mounts.exists() else []
    folder = next((words[1] for words in lines if "noexec" in words[3].split(",")), None)
    if folder is None:
        pytest.skip("no disk here is mounted without programs")
    why = runpy.run_path(str(WORKER))["why_not_opened"](folder, OSError("failed to map segment"))
    assert "noexec" in why
    assert "PHI_HOME" in why


@pytest.mark.parametrize(
    ("code", "words"),
    [(-11, "crashed with SIGSEGV"), (-99, "crashed with signal 99"), (0xC000001D, "crashed with the code 0xc000001d")],
)
def test_how_an_engine_crashed(code: int, words: str) -> None:
    assert crashed(code) == (code != -99)
    assert how_it_crashed(code) == words
