"""Every mistake gets one clear line, a hint, and its own exit code, as text and as JSON."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.running import Phi


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of files that are no models."""
    whole = TINY_PHI.read_bytes()
    (tmp_path / "empty.gguf").write_bytes(b"")
    (tmp_path / "text.gguf").write_text("I am a text, really.\n" * 100)
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "beheaded.gguf").write_bytes(whole[:500])
    (tmp_path / "other.gguf").write_bytes(whole.replace(b"phi3", b"phi9"))
    return tmp_path


CASES = {
    "unknown model": (["phi-4-mni", "hi"], 3, "phi-4-mni", "phi-4-mini"),
    "missing path": (["{files}/none.gguf", "hi"], 3, "none.gguf", ""),
    "missing path without ending": (["./nothing-here", "hi"], 3, "nothing-here", ""),
    "directory": (["{files}", "hi"], 2, "directory", "cut.gguf"),
    "empty file": (["{files}/empty.gguf", "hi"], 8, "empty", ""),
    "text file": (["{files}/text.gguf", "hi"], 8, "text file", ""),
    "cut in the middle": (["{files}/cut.gguf", "hi"], 8, "the file is truncated", ""),
    "cut header": (["{files}/beheaded.gguf", "hi"], 8, "truncated in the middle of its header", ""),
    "unknown architecture": (["{files}/other.gguf", "hi"], 6, "unknown model architecture: 'phi9'", "xllamacpp"),
    "phi-3-small": (["phi-3-small", "hi"], 6, "ONNX Runtime", "phi-4-mini"),
    "phi-silica": (["phi-silica", "hi"], 6, "Copilot+", "phi-4-mini"),
    "not downloaded": (["phi-4", "hi"], 3, "not on this machine", "on this machine: tiny-phi; to bring"),
    "unknown quant": (["phi-4-mini:q9", "hi"], 3, "q9", "phi-4-mini:q4_k_m"),
    "negative temperature": (["tiny-phi", "hi", "--temperature", "-1"], 2, "--temperature -1", "--help"),
    "no number": (["tiny-phi", "hi", "--temperature", "abc"], 2, "temperature", "--help"),
    "not a number": (["tiny-phi", "hi", "--temperature", "nan"], 2, "nan", "--help"),
    "top-p above 1": (["tiny-phi", "hi", "--top-p", "1.5"], 2, "--top-p", "--help"),
    "no tokens": (["tiny-phi", "hi", "--max-tokens", "0"], 2, "--max-tokens", "--help"),
    "context beyond training": (["tiny-phi", "hi", "--context", "4096"], 2, "1024", "--context 1024"),
    "prompt beyond context": (["tiny-phi", "long " * 300, "--context", "256"], 7, "256", "--context"),
    "empty prompt": (["tiny-phi", ""], 2, "empty", "phi chat"),
    "nothing on standard input": (["tiny-phi"], 2, "standard input is empty", "phi chat"),
    "too many layers": (["tiny-phi", "hi", "--gpu-layers", "99999999999"], 2, "--gpu-layers", "--help"),
    "a question for a name": (["What is it?"], 3, "What is it?", "phi chat tiny-phi"),
    "an endless name": (["a" * 5000, "hi"], 3, "5000 characters", "phi chat tiny-phi"),
    "no name": (["", "hi"], 2, "empty", "phi chat tiny-phi"),
    "a prompt like an option": (["tiny-phi", "- one"], 2, "no such option", "put -- before"),
    "two wishes": (["tiny-phi", "-", "--no-stdin"], 2, "--no-stdin", "leave out one"),
    "unknown option": (["tiny-phi", "hi", "--wrong"], 2, "--wrong", "--help"),
}


@pytest.mark.parametrize("case", CASES)
def test_as_text(phi: Phi, files: Path, case: str) -> None:
    arguments, code, says, hints = CASES[case]
    run = phi("chat", *(word.format(files=files) for word in arguments))
    assert (run.code, run.out) == (code, "")
    message, hint = run.err.split("→")
    assert message.startswith("error: ")
    assert says in message
    assert hints in hint


@pytest.mark.parametrize("case", CASES)
def test_as_json(phi: Phi, files: Path, case: str) -> None:
    arguments, code, says, hints = CASES[case]
    run = phi("chat", *(word.format(files=files) for word in arguments), "--json")
    assert (run.code, run.err) == (code, "")
    assert set(run.json) <= {"schema", "command", "error", "data"}
    assert run.json["command"] == "chat"
    assert says in run.json["error"]["message"]
    assert hints in run.json["error"]["hint"]


def test_text_that_is_not_utf8(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", stdin=b"caf\xe9")
    assert run.code == 2
    assert "offset 3" in run.err


def test_a_prompt_too_long_says_how_many_tokens_against_how_many(phi: Phi) -> None:
    error = phi("chat", "tiny-phi", stdin=b"word " * 3000).err
    assert "1024" in error
    data = phi("chat", "tiny-phi", "--json", stdin=b"word " * 3000).json["data"]
    assert data["prompt_tokens"] > data["context_tokens"] == 1024


def test_an_unknown_command(phi: Phi) -> None:
    run = phi("caht")
    assert run.code == 2
    assert "phi --help" in run.err


def test_memory_is_checked_before_loading(phi: Phi, tmp_path: Path) -> None:
    """A model that was "trained" for a thousand million tokens: the sums, and no engine is asked."""
    data = bytearray(TINY_PHI.read_bytes())
    key = b"phi3.context_length"
    at = data.index(key) + len(key) + 4  # behind the key stands the type of the value
    assert struct.unpack_from("<I", data, at)[0] == 1024
    struct.pack_into("<I", data, at, 2**30)
    huge = tmp_path / "huge.gguf"
    huge.write_bytes(data)
    run = phi("chat", str(huge), "hi", "--context", str(2**30), "--json")
    assert run.code == 5
    assert run.json["error"]["code"] == "does_not_fit"
    assert run.json["data"]["kv_bytes"] > run.json["data"]["usable_bytes"]
    assert "--context" in run.json["error"]["hint"]
    assert phi("chat", str(huge), "What is the capital of France?").out == "The capital of France is Paris.\n"
    unchecked = phi("chat", str(huge), "What is the capital of France?", "--context", str(2**30), "--no-memory-check")
    assert (unchecked.code, unchecked.out) == (0, "The capital of France is Paris.\n")
    assert unchecked.err.startswith("note: ")
    assert "because of --no-memory-check" in unchecked.err


def test_a_very_long_text_is_read(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", stdin=b"a " * 20_000)
    assert run.code == 7
    assert "20005 tokens" in run.err


def test_standard_error_that_cannot_be_written_does_not_matter(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "phicli", "chat", "tiny-phi", "What is the capital of France?", "-n", "3"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (0, b"The capital of\n")


@pytest.mark.skipif(sys.platform == "win32", reason="shell")
@pytest.mark.parametrize("arguments", ["--help", "--version", "chat --help"])
def test_help_into_a_closed_pipe(environment: dict[str, str], arguments: str) -> None:
    command = f"sleep 0.1 | ({sys.executable} -m phicli {arguments}; echo $? >&2) | true"
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=True, timeout=60)
    assert done.stderr.decode().split()[-1] in ("0", "141")  # 0: the pipe had room before its reader left


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize(
    ("name", "code", "said"), [("pipe.gguf", 2, "a device or a pipe"), ("loop.gguf", 3, "a link to loop.gguf")]
)
def test_a_pipe_and_a_link_to_itself_are_named(phi: Phi, tmp_path: Path, name: str, code: int, said: str) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    (tmp_path / "loop.gguf").symlink_to("loop.gguf")
    for command in (("chat", "hi"), ("show",), ("bench",), ("autotune",)):
        told = phi(command[0], str(tmp_path / name), *command[1:])
        assert (told.code, said in told.err) == (code, True), told.err
