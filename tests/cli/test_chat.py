"""``phi chat`` in a shell, on the embedded model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import phicli
from phicli.answering import opening
from phicli.app import main
from phicli.engine.starting import DEFAULT_ENGINE
from tests.support.processes import children, gone, held, hesitating, interrupt, wait_for_child
from tests.support.running import Phi
from tests.support.waiting import wait_until

FRANCE = "What is the capital of France?"
ANSWER = "The capital of France is Paris.\n"


def test_a_question_is_answered_and_nothing_else_is_printed(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE)
    assert (run.code, run.out, run.err) == (0, ANSWER, "")


def test_words_need_no_quotes_and_run_means_chat(phi: Phi) -> None:
    assert phi("run", "tiny-phi", *FRANCE.split()).out == ANSWER


def test_piped_text_is_the_prompt(phi: Phi) -> None:
    assert phi("chat", "tiny-phi", stdin=FRANCE.encode()).out == ANSWER
    assert phi("chat", "tiny-phi", "-", stdin=FRANCE.encode() + b"\n").out == ANSWER


def test_no_stream_prints_the_same(phi: Phi) -> None:
    assert phi("chat", "tiny-phi", FRANCE, "--no-stream").out == ANSWER


def test_json_has_the_fields_of_the_contract(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--json", "--seed", "7")
    assert run.code == 0
    assert run.json["schema"] == 1
    assert run.json["command"] == "chat"
    data = run.json["data"]
    assert data["text"] == ANSWER.strip()
    assert data["finish_reason"] == "stop"
    assert (data["model"], data["quant"]) == ("tiny-phi", "F16")
    assert data["usage"]["completion_tokens"] > 5
    assert data["usage"]["cached_tokens"] == 0
    assert {"load_ms", "ttft_ms", "prompt_tps", "decode_tps", "total_ms"} == set(data["timings"])
    assert data["context"] == {
        "size_tokens": 256,
        "used_tokens": data["usage"]["prompt_tokens"] + data["usage"]["completion_tokens"],
    }
    assert data["settings"]["seed"] == 7
    assert data["settings"]["prompt_format"] == "phi-4-mini"


def test_a_cut_answer_says_so(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--max-tokens", "2")
    assert run.code == 0
    assert "cut off after 2 tokens" in run.err
    assert phi("chat", "tiny-phi", FRANCE, "-n", "2", "--quiet").err == ""
    assert phi("chat", "tiny-phi", FRANCE, "-n", "2", "--json").json["data"]["finish_reason"] == "length"


def test_a_stop_text_ends_an_answer(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--stop", "never", "--stop", " is", "--json")
    assert (run.json["data"]["text"], run.json["data"]["stopped_by"]) == ("The capital of France", " is")
    assert run.json["data"]["settings"]["stop"] == ["never", " is"]
    assert phi("chat", "tiny-phi", FRANCE, "--stop", "<|end|>", "--json").json["data"]["stopped_by"] == "<|end|>"
    assert phi("chat", "tiny-phi", FRANCE, "--stop", "").code == 2


def test_numbers_and_settings_are_printed_where_they_are_asked_for(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--stats", "--verbose", "--quiet")
    assert (run.code, run.out) == (0, ANSWER)
    labels = [line.partition(":")[0] for line in run.err.splitlines()]
    assert {"engine", "model", "settings", "sampling", "prompt", "answer", "time to first token"} <= set(labels)
    assert phi("chat", "tiny-phi", FRANCE, "--stats", "--json").json["data"]["text"] == ANSWER.strip()


def test_reasoning_goes_to_standard_error(phi: Phi) -> None:
    system = "Your name is Phi, an AI math expert developed by Microsoft."
    arguments = ("chat", "tiny-phi", "What is 7 + 5?", "--system", system)
    run = phi(*arguments)
    assert run.code == 0
    assert run.out == "7 + 5 = 12\n"
    assert "think" not in run.out + run.err
    assert len(run.err) > 10
    assert phi(*arguments, "--quiet").err == ""
    data = phi(*arguments, "--json").json["data"]
    assert data["text"] == run.out.strip()
    assert data["reasoning"].strip() == run.err.strip()


def test_the_last_model_is_remembered(phi: Phi) -> None:
    nothing_yet = phi("chat", stdin=FRANCE.encode())
    assert nothing_yet.code == 2
    assert "phi chat tiny-phi" in nothing_yet.err
    phi("chat", "tiny-phi", "hi")
    assert phi("chat", stdin=FRANCE.encode()).out == ANSWER
    assert phi("chat", stdin=FRANCE.encode(), PHI_MODEL="tiny-phi").out == ANSWER


def test_a_path_is_a_model(phi: Phi, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes((Path(phicli.__file__).parent / "data" / "tiny-phi.gguf").read_bytes())
    assert phi("chat", str(copy), FRANCE).out == ANSWER


def test_a_sampled_answer_can_be_repeated(phi: Phi) -> None:
    arguments = ("chat", "tiny-phi", "Anything", "--temp", "5", "--top-k", "0", "--top-p", "1", "--min-p", "0")
    arguments += ("-n", "30")
    runs = {phi(*arguments, "--seed", "3", "--quiet").out for _ in range(2)}
    others = {phi(*arguments, "--seed", str(seed), "--quiet").out for seed in range(4, 8)}
    assert len(runs) == 1
    assert len(runs | others) > 1


def test_a_state_folder_that_cannot_be_written_is_no_obstacle(phi: Phi) -> None:
    assert phi("chat", "tiny-phi", FRANCE, PHI_HOME="/dev/null/nowhere").out == ANSWER


@pytest.mark.skipif(sys.platform == "win32", reason="shell")
def test_a_reader_that_leaves_early_ends_it_quietly(environment: dict[str, str]) -> None:
    command = f'{sys.executable} -m phicli chat tiny-phi "{FRANCE}" --no-stream | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 5
    assert "disk is full" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sets the size of a pipe")
def test_ctrl_c_keeps_what_was_printed(environment: dict[str, str]) -> None:
    """Standard output takes half of the answer, so that the answer is not complete before the signal is there."""
    import fcntl

    ours, theirs = os.pipe()
    size = fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    filled = os.write(theirs, b"." * (size - len(ANSWER) // 2))
    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    wait_until(lambda: unread(ours) > filled)
    interrupt(process.pid)
    with open(ours, "rb") as file:  # noqa: PTH123 (a number, not a path)
        printed = file.read()[filled:].decode()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors, errors.decode()
    assert printed.strip()
    assert ANSWER.startswith(printed.rstrip())


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_under_json_is_an_error_in_the_envelope(environment: dict[str, str], tmp_path: Path) -> None:
    """The engine stands still, so that the answer is not complete before the signal is there."""
    import json

    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE, "--json"],
        env=environment | hesitating(tmp_path / "engine"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with held(process.pid):
        interrupt(process.pid)
    out, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)  # the latter: while the code of a dataclass was made
    assert b"Traceback" not in errors, errors.decode()
    assert json.loads(out)["error"]["code"] == "interrupted"


def unread(pipe: int) -> int:
    """Bytes that a pipe holds."""
    import fcntl
    import struct
    import termios

    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.15, 0.3])
def test_ctrl_c_at_any_moment_leaves_no_traceback_and_no_process(environment: dict[str, str], delay_s: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for_child(process.pid)
    workers = children(process.pid)
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT)  # the last: while the interpreter itself starts or ends
    assert b"Traceback" not in errors, errors.decode()
    assert all(gone(worker) for worker in workers)


def test_a_name_of_the_catalogue_finds_its_file_in_the_hugging_face_cache(phi: Phi, tmp_path: Path) -> None:
    snapshot = (
        tmp_path / "hf" / "hub" / "models--bartowski--microsoft_Phi-4-mini-instruct-GGUF" / "snapshots" / "abc123"
    )
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc123")
    model = snapshot / "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf"
    model.write_bytes((Path(phicli.__file__).parent / "data" / "tiny-phi.gguf").read_bytes())
    data = phi("chat", "Phi-4-mini:q4_k_m", FRANCE, "--json").json["data"]
    assert (data["model"], data["quant"], data["text"]) == ("phi-4-mini", "Q4_K_M", ANSWER.strip())
    assert phi("chat", stdin=FRANCE.encode()).out == ANSWER  # the last one used
    missing = phi("chat", "phi-4-mini:q8_0", FRANCE)
    assert missing.code == 3
    assert "phi-4-mini:q8_0 is not on this machine" in missing.err
    assert "on this machine: phi-4-mini:q4_k_m, tiny-phi" in missing.err  # offline nothing can be pulled


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_ctrl_c_while_the_terminal_is_prepared_leaves(environment: dict[str, str], tmp_path: Path) -> None:
    """A library that was interrupted while it was imported cannot be used any more."""
    (tmp_path / "prompt_toolkit").mkdir()
    (tmp_path / "prompt_toolkit" / "__init__.py").write_text("raise KeyboardInterrupt")
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", "chat", "tiny-phi"],
        env=environment | {"PYTHONPATH": str(tmp_path)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        assert process.wait(60) == 130
    finally:
        process.kill()
        os.close(ours)


class Early:
    """Stands for the early process, and counts."""

    def __init__(self) -> None:
        self.started = self.ended = 0

    def __call__(self, name: str, *, wanted: bool) -> Early:
        assert (name, wanted) == (DEFAULT_ENGINE, True)
        return self

    def __enter__(self) -> None:
        self.started += 1

    def __exit__(self, *_: object) -> None:
        self.ended += 1


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Early:
    watched = Early()
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    monkeypatch.setattr("phicli.commands.chat.early_process", watched)
    return watched


def test_ctrl_c_before_the_engine_is_taken_over_ends_it(early: Early, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process would end with this one, and leave its log behind."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "open_model", interrupt)
    assert main(["chat", "tiny-phi", "hi", "--no-stdin", "-q"]) == 130
    assert (early.started, early.ended) == (1, 1)


@pytest.mark.parametrize("words", [["--help"], ["tiny-phi", "hi", "--temperatur", "1"], ["tiny-phi", "hi", "-n", "x"]])
def test_help_and_a_wrong_option_start_no_process(early: Early, words: list[str]) -> None:
    main(["chat", *words])
    assert early.started == 0


def test_a_model_that_is_not_there_is_reported_as_ever(
    early: Early, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["chat", "phi-4-min", "hi", "--no-stdin"]) == 3
    assert capsys.readouterr().err.startswith("error: model 'phi-4-min' not found")
    assert main(["chat", str(tmp_path / "no.gguf"), "hi", "--no-stdin"]) == 3
    assert (early.started, early.ended) == (2, 2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_model_that_is_not_there_leaves_no_process(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", "chat", str(path), FRANCE, "--no-stdin"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        wait_for_child(process.pid)
        workers = children(process.pid)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith(b"error: ")
    assert all(gone(worker) for worker in workers)
    assert list(tmp_path.rglob("*.log")) == []
