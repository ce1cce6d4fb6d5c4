"""``phi chat`` with the engine of the server of this user."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from phicli.engine.lent_process import ANSWERS_WITHIN
from tests.support.files import TINY_PHI
from tests.support.lending import Lender
from tests.support.running import Phi
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")]
FRANCE, PARIS = "What is the capital of France?", "The capital of France is Paris.\n"
ASKED = ("chat", "tiny-phi", FRANCE)


def test_the_second_chat_is_warm_and_the_text_is_that_of_a_fresh_engine(phi: Phi, lender: Lender) -> None:
    fresh = data_of(phi, *ASKED)
    server = lender()
    first = data_of(phi, *ASKED)
    loaded = server.engines
    second = data_of(phi, *ASKED)
    assert [one["attached"] for one in (fresh, first, second)] == [False, True, True]
    assert first["text"] == second["text"] == fresh["text"] == PARIS.strip()
    assert counts(first) == counts(second) == counts(fresh)
    assert second["usage"]["cached_tokens"] > 0
    assert second["build"] == fresh["build"]
    assert server.engines == loaded
    assert len(loaded) == 1


def test_no_engine_is_started_beside_the_one_that_is_lent(
    phi: Phi, lender: Lender, environment: dict[str, str]
) -> None:
    server = lender()
    phi(*ASKED)
    (engine,) = server.engines
    command = [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE, "--verbose", "--stats"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        seen = set[int]()
        while process.poll() is None:
            with_children = psutil.Process(process.pid)
            seen |= {child.pid for child in with_children.children(recursive=True)}
        assert process.stdout is not None
        said = process.stdout.read().decode()
    assert seen == set()
    assert "server: attached\n" in said
    assert server.engines == [engine]


def test_without_a_server_an_engine_is_started_and_verbose_says_why(phi: Phi) -> None:
    run = phi(*ASKED, "--verbose")
    assert (run.code, run.out) == (0, PARIS)
    assert "server: not attached: no server of this user runs\n" in run.err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--no-attach"], "--no-attach"),
        (["--kv-type", "q8_0"], "the server's kv_type is f16, and here it is q8_0"),
        (["--threads", "1"], "the server's threads is 2, and here it is 1"),
        (["--session", "trip", "--keep-state"], "--keep-state"),
    ],
)
def test_other_settings_get_an_engine_of_their_own(phi: Phi, lender: Lender, options: list[str], why: str) -> None:
    lender("--threads", "2")
    run = phi(*ASKED, *options, "--verbose")
    assert (run.code, run.out) == (0, PARIS)
    assert f"server: not attached: {why}" in run.err


def test_the_same_settings_may_be_typed(phi: Phi, lender: Lender) -> None:
    lender("--threads", "1")
    assert data_of(phi, *ASKED, "--threads", "1", "--kv-type", "f16", "--context", "256")["attached"]


def test_a_setting_turns_it_off(phi: Phi, lender: Lender) -> None:
    lender()
    assert not data_of(phi, *ASKED, PHI_CHAT_ATTACH="false")["attached"]
    phi("config", "set", "chat.attach", "false")
    assert not data_of(phi, *ASKED)["attached"]
    assert data_of(phi, *ASKED, "--attach")["attached"]


def test_a_file_that_was_replaced_is_not_answered_by_the_engine_of_the_old_one(
    phi: Phi, lender: Lender, tmp_path: Path
) -> None:
    lender()
    copy = tmp_path / "copy.gguf"
    shutil.copy(TINY_PHI, copy)
    assert data_of(phi, "chat", str(copy), FRANCE)["attached"]
    shutil.copy(TINY_PHI, tmp_path / "other.gguf")
    (tmp_path / "other.gguf").replace(copy)
    replaced = phi("chat", str(copy), FRANCE, "--verbose")
    assert replaced.out == PARIS
    assert "not attached" not in replaced.err, "the server has loaded the new file"


def test_a_server_that_hangs_or_has_died_is_not_waited_for(phi: Phi, lender: Lender) -> None:
    server = lender()
    server.suspend()
    run = phi(*ASKED, "--verbose", **{ANSWERS_WITHIN: ""})
    assert (run.code, run.out) == (0, PARIS)
    assert "server: not attached: the server did not respond within 2 s" in run.err
    server.kill()
    assert server.socket.exists()
    assert "server: not attached: no server of this user runs" in phi(*ASKED, "--verbose").err


def test_everything_else_of_phi_chat_works_attached(phi: Phi, lender: Lender, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(
        '{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}'
    )
    tools = tmp_path / "tools.json"
    tools.write_text(
        '[{"name": "get_weather", "description": "Weather", '
        '"parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]'
    )
    runs: dict[str, tuple[str, ...]] = {
        "schema": ("--schema", str(schema)),
        "choice": ("--choice", "yes,no"),
        "regex": ("--regex", "[a-z]{3}"),
        "logprobs": ("--logprobs", "2"),
        "samples": ("--samples", "2"),
        "tools": ("--tools", str(tools)),
        "budget": ("--think-budget", "5"),
        "limit": ("-n", "3"),
        "stop": ("--stop", "Paris"),
    }
    always = ("--temperature", "0", "--seed", "1")
    fresh = {name: data_of(phi, *ASKED, *more, *always) for name, more in runs.items()}
    lender()
    for name, more in runs.items():
        attached = data_of(phi, *ASKED, *more, *always)
        assert attached["attached"], name
        assert comparable(attached) == comparable(fresh[name]), name
    events = phi(*ASKED, "--events", *always)
    assert events.code == 0
    assert PARIS.strip() in events.out


def test_what_a_grammar_cannot_hold_is_answered_by_an_engine_that_says_so(
    phi: Phi, lender: Lender, tmp_path: Path
) -> None:
    """The engine ignores such a schema silently, and its log does not say whose it was."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "array", "items": {"type": "integer"}, "uniqueItems": true, "maxItems": 3}')
    command = (*ASKED, "--schema", str(schema), "-n", "64", "--temperature", "0", "--seed", "1")
    fresh = phi(*command)
    lender()
    attached = phi(*command)
    assert (attached.code, attached.out, attached.err) == (fresh.code, fresh.out, fresh.err)


def test_a_long_conversation_goes_on_in_an_engine_of_its_own(phi: Phi, lender: Lender) -> None:
    command = ("chat", "tiny-phi", f"{FRANCE} " * 60, "--temperature", "0")
    fresh = data_of(phi, *command)
    server = lender()
    run = phi(*command, "--json")
    assert run.json["data"]["text"] == fresh["text"]
    assert counts(run.json["data"]) == counts(fresh)
    assert fresh["usage"]["prompt_tokens"] > 256, "more than the original context"
    assert not run.json["data"]["attached"]
    assert len(server.engines) == 1


def test_a_session_goes_on_attached_and_its_saved_kv_cache_is_not_lost(phi: Phi, lender: Lender) -> None:
    italy = ("chat", "-C", "And of Italy?")
    phi(*ASKED, "--session", "fresh")
    server = lender()
    data = data_of(phi, *italy)
    assert not data["attached"], "its KV cache is saved, which is faster"
    assert data["text"] == "The capital of Italy is Rome."
    data_of(phi, *ASKED, "--session", "attached")
    data = data_of(phi, *italy)
    assert data["attached"]
    assert data["text"] == "The capital of Italy is Rome."
    assert len(server.engines) == 1


def test_ctrl_c_gives_the_engine_back(lender: Lender, environment: dict[str, str], smollm2: Path) -> None:
    server = lender()
    command = [sys.executable, "-m", "phicli", "chat", str(smollm2), "Tell a very long story.", "--temperature", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    (engine,) = server.engines
    wait_until(lambda: engine.cpu_percent(0.5) < 50)


def test_an_engine_that_is_killed_fails_the_answer_and_the_next_chat_gets_another(
    phi: Phi, lender: Lender, environment: dict[str, str], smollm2: Path
) -> None:
    server = lender()
    command = [sys.executable, "-m", "phicli", "chat", str(smollm2), "Tell a very long story.", "--temperature", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        (engine,) = server.engines
        engine.kill()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 6, said
    assert b"it belongs to phi serve; its process has ended" in said
    assert data_of(phi, "chat", str(smollm2), "hi", "-n", "4")["attached"]


def test_a_server_that_is_killed_fails_the_answer(lender: Lender, environment: dict[str, str], smollm2: Path) -> None:
    server = lender()
    command = [sys.executable, "-m", "phicli", "chat", str(smollm2), "Tell a very long story.", "--temperature", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        server.kill()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 6, said
    assert b"--no-attach" in said


@pytest.mark.model
@pytest.mark.parametrize("question", ["Why is the sky blue?", "Write a poem about the sea."])
def test_others_change_nothing(phi: Phi, lender: Lender, smollm2: Path, question: str) -> None:
    command = ("chat", str(smollm2), question, "--temperature", "0", "-n", "48")
    fresh = data_of(phi, *command)
    server = lender(str(smollm2), "--parallel", "4")
    phi(*command)
    with server.busy(smollm2.name, "Tell me about Rome."), server.busy(smollm2.name, "What is a tree?"):
        attached = data_of(phi, *command)
    assert attached["attached"]
    assert attached["text"] == fresh["text"]
    assert counts(attached) == counts(fresh)


def data_of(phi: Phi, *arguments: str, **more: str) -> dict[str, Any]:
    run = phi(*arguments, "--json", **more)
    assert run.code == 0, run.out + run.err
    data: dict[str, Any] = run.json["data"]
    return data


def counts(data: dict[str, Any]) -> tuple[int, int]:
    return data["usage"]["prompt_tokens"], data["usage"]["completion_tokens"]


def comparable(data: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on who has started the engine."""
    kept = {name: data.get(name) for name in ("text", "tool_calls", "reasoning", "finish_reason", "parsed")}
    samples = [one.get("text") for one in data.get("samples", ())]
    tokens = [one["token"] for one in data.get("logprobs", ())]
    return {**kept, "counts": counts(data), "samples": samples, "tokens": tokens}


def test_the_numbers_and_settings_say_whose_engine_it_is(phi: Phi, lender: Lender) -> None:
    own = phi(*ASKED, "--stats", "--verbose").err
    assert "engine: of phi serve" not in own
    assert "slots=1" in own
    lender()
    lent = phi(*ASKED, "--stats", "--verbose").err
    assert "engine: of phi serve\n" in lent
    assert "slots=" not in lent
    assert "kv_type=" in lent
