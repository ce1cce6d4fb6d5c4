"""The process of a ``llama-server`` binary.

How it is started and watched is tried on a program that speaks as one does; what the contract says, and the tests
below that need it, on a real binary where one is on PATH.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.llama_server_program import NativeProcess, NativeServerEngine, server_arguments
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.errors import EngineError, TemplateError
from tests.engine.conftest import BINARY, tiny_settings
from tests.support.files import TINY_PHI
from tests.support.native import install
from tests.support.processes import children, gone, wait_for_child

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
needs_binary = pytest.mark.skipif(BINARY is None, reason="llama-server not found on PATH")
SETTINGS = LoadSettings(model_path=TINY_PHI, context_tokens=256, engine=EngineSettings(threads=2))


@pytest.fixture
def binary(tmp_path: Path, starts_process: None) -> Path:
    return install(tmp_path)


def started_with(engine: NativeServerEngine) -> Any:
    return json.loads(engine.render_template([]))


def behave(monkeypatch: pytest.MonkeyPatch, **behaviour: object) -> None:
    monkeypatch.setenv("FAKE_SERVER", json.dumps(behaviour))


def options(arguments: list[str]) -> dict[str, str]:
    """Each option with its value, those that have none with nothing."""
    found: dict[str, str] = {}
    for word in arguments:
        if word.startswith("-"):
            name = word
            found[name] = ""
        else:
            found[name] = word
    return found


def test_settings_are_options() -> None:
    engine = EngineSettings(2, 64, "q8_0", "on", repack=True, gpu_layers=3)
    settings = replace(SETTINGS, engine=engine, slots=2, warmup=True)
    assert options(list(server_arguments(settings))) == {
        "-m": str(TINY_PHI), "-c": "512", "-t": "2", "-tb": "2", "-b": "64", "-ub": "64", "--cache-type-k": "q8_0",
        "--cache-type-v": "q8_0", "-fa": "on", "--parallel": "2", "--n-gpu-layers": "3",
    }  # fmt: skip


def test_what_is_off_or_left_to_the_engine_is_said_so() -> None:
    found = options(list(server_arguments(SETTINGS)))
    assert found["--no-repack"] == found["--no-warmup"] == ""
    assert found["-fa"] == "auto"
    assert "--n-gpu-layers" not in found


def test_another_name_is_an_option() -> None:
    found = options(list(server_arguments(replace(SETTINGS, model_name="another model"))))
    assert found["--override-kv"] == "general.name=str:another model"


def test_the_folder_for_states_is_an_option() -> None:
    found = options(list(server_arguments(replace(SETTINGS, slot_folder=Path("states")))))
    assert found["--slot-save-path"] == "states"


def test_a_template_that_is_not_used_is_not_parsed(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, parses=False)
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path)
    try:
        assert started_with(engine)["environment"]["LLAMA_ARG_CHAT_TEMPLATE"] == "chatml"
    finally:
        engine.close()


def test_a_template_that_is_used_and_cannot_be_parsed_does_not_end_it(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, parses=False)
    engine = NativeServerEngine(replace(SETTINGS, own_template=True), binary, log_dir=tmp_path)
    try:
        with pytest.raises(TemplateError, match=r"^the engine cannot parse it$"):
            engine.render_template([])
    finally:
        engine.close()


def test_it_is_started_on_loopback_with_a_key_that_nobody_sees(binary: Path, tmp_path: Path) -> None:
    process = NativeProcess(binary, tmp_path)
    try:
        process.load(SETTINGS)
        host, _, port = process.wait_ready().removeprefix("http://").partition(":")
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().strip("\0").split("\0")
    finally:
        process.close()
    assert host == "127.0.0.1"
    assert options(seen[2:])["--port"] == port
    assert options(seen[2:])["--host"] == host
    assert not [word for word in seen if process.api_key in word]


def test_variables_of_the_environment_change_nothing(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_THREADS", "17")
    monkeypatch.setenv("LLAMA_ARG_FIT", "on")
    monkeypatch.setenv("LLAMA_API_KEY", "of somebody else")
    monkeypatch.setenv("AIP_HTTP_PORT", "80")
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path)
    try:
        found = started_with(engine)["environment"]
    finally:
        engine.close()
    assert "LLAMA_ARG_THREADS" not in found
    assert "AIP_HTTP_PORT" not in found
    assert found["LLAMA_ARG_FIT"] == "off"
    assert found["XDG_CONFIG_HOME"] == "/dev/null"  # where the user's own settings of llama.cpp would be
    assert found["LLAMA_API_KEY"] not in ("", "of somebody else")


def test_it_tells_its_build(binary: Path, tmp_path: Path) -> None:
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path)
    engine.close()
    assert engine.build == "llama-server 4321 (fa4e5e4), AVX2 AVX512F"


def test_it_is_waited_for_while_it_loads(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behave(monkeypatch, loads=20)
    waited: list[float] = []
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path, on_tick=waited.append)
    try:
        assert engine.load_ms == 0
        engine.wait_ready()
        assert engine.load_ms > 0
    finally:
        engine.close()
    assert waited == sorted(waited) != []


def test_a_port_that_was_taken_meanwhile_is_replaced(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "ports"
    behave(monkeypatch, taken=2, count=str(count))
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path / "logs")
    try:
        engine.wait_ready()
    finally:
        engine.close()
    assert len(count.read_text().split()) == 3
    assert list((tmp_path / "logs").iterdir()) == []


def test_ports_that_are_always_taken_end_it(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tmp_path / "ports"
    behave(monkeypatch, taken=99, count=str(count))
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path)
    with pytest.raises(EngineError, match="couldn't bind"):
        engine.wait_ready()
    engine.close()
    assert len(count.read_text().split()) == 5


def test_an_option_that_it_does_not_know_is_the_reason(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, complains="error: invalid argument: --no-repack")
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path)
    with pytest.raises(EngineError, match=r"could not load.*invalid argument: --no-repack") as caught:
        engine.wait_ready()
    engine.close()
    assert caught.value.exit_code == 6
    assert "--engine xllamacpp" in caught.value.hint
    assert Path((caught.value.data or {})["engine_log"]).exists()


def test_another_server_on_the_port_is_not_taken_for_ours(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers everybody: it is healthy, but does not want the key."""
    from tests.support.endpoint import Endpoint

    with Endpoint() as other:
        process = NativeProcess(binary, tmp_path)
        try:
            monkeypatch.setattr("phicli.engine.llama_server_program._free_port", lambda: other.port)
            process.load(SETTINGS)
            with pytest.raises(EngineError, match="could not load"):
                process.wait_ready()
        finally:
            process.close()


def test_a_server_that_lets_everybody_in_is_refused(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So did versions that did not know the key, and so does another program."""
    behave(monkeypatch, open=True)
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path)
    with pytest.raises(EngineError, match="answers without the key") as caught:
        engine.wait_ready()
    engine.close()
    assert "--engine xllamacpp" in caught.value.hint
    assert gone(engine.pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the kernel's parent-death signal")
def test_it_dies_with_a_killed_parent(binary: Path, tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from pathlib import Path\n"
        "from phicli.engine.llama_server_program import NativeServerEngine\n"
        "from tests.engine.conftest import tiny_settings\n"
        f"engine = NativeServerEngine(tiny_settings(), Path({str(binary)!r}), log_dir=Path({str(tmp_path)!r}))\n"
        "engine.wait_ready()\n"
        "print(engine.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not gone(pid, within_s=0.1)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


def test_closing_ends_the_process(binary: Path, tmp_path: Path) -> None:
    engine = NativeServerEngine(SETTINGS, binary, log_dir=tmp_path / "logs")
    engine.wait_ready()
    engine.close()
    engine.close()
    assert gone(engine.pid)
    assert list((tmp_path / "logs").iterdir()) == []


@pytest.mark.process
@needs_binary
def test_the_real_one_says_why_a_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("hello, I am no model")
    engine = NativeServerEngine(replace(SETTINGS, model_path=path), Path(BINARY or ""), log_dir=tmp_path)
    with pytest.raises(EngineError, match=r"could not load.*invalid magic characters"):
        engine.wait_ready()
    engine.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel")
def test_its_stack_is_larger_than_usual(binary: Path, tmp_path: Path) -> None:
    """llama.cpp has overflowed 8 MiB."""
    engine = NativeServerEngine(tiny_settings(), binary, log_dir=tmp_path)
    try:
        engine.wait_ready()
        limits = Path(f"/proc/{engine.pid}/limits").read_text(encoding="ascii")
        soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max stack size"))
        assert soft in (str(1 << 27), hard)
    finally:
        engine.close()


@pytest.mark.process
@needs_binary
def test_the_real_one_takes_every_setting(tmp_path: Path) -> None:
    settings = LoadSettings(
        TINY_PHI, 256, EngineSettings(1, 64, "q8_0", "on", repack=True, gpu_layers=0), warmup=True, slots=2
    )
    engine = NativeServerEngine(settings, Path(BINARY or ""), log_dir=tmp_path)
    try:
        engine.wait_ready()
        assert engine.build.startswith("llama-server ")
        os.kill(engine.pid, 0)
    finally:
        engine.close()
    assert gone(engine.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("loads", [0, 1_000_000])
def test_a_script_that_starts_the_program_leaves_nothing(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loads: int
) -> None:
    behave(monkeypatch, loads=loads)
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\n"{binary}" "$@"\nexit $?\n')
    script.chmod(0o755)
    engine = NativeServerEngine(SETTINGS, script)
    wait_for_child(engine.pid)
    if not loads:
        engine.wait_ready()
    (program,) = children(engine.pid)
    engine.close()
    assert gone(program)


def test_after_a_crash_another_engine_is_proposed(binary: Path) -> None:
    engine = NativeServerEngine(SETTINGS, binary)
    engine.wait_ready()
    os.kill(engine.pid, signal.SIGSEGV)
    assert gone(engine.pid)
    with pytest.raises(EngineError, match="crashed with SIGSEGV") as caught:
        engine.render_template([])
    assert caught.value.hint == "try another build of llama-server, or the default engine: --engine xllamacpp"
    engine.close()
