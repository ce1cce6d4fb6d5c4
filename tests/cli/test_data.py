"""``phi data`` as people and scripts use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.disks import small_file_system
from tests.support.running import Phi
from tests.support.waiting import wait_until
from tests.training_data.examples import GOOD, OF_THE_CARD, THINKING, WITH_TOOLS, line, numbered
from tests.training_data.test_broken_variants import BROKEN


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"".join([*numbered(20), line(GOOD), line(WITH_TOOLS), line(THINKING)]))
    return path


def test_good_data(phi: Phi, train: Path) -> None:
    done = phi("data", "check", str(train))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"{train}: 23 examples in 23 lines, {train.stat().st_size / 1024:.0f} KiB"
    assert done.out.splitlines()[-1] == "no errors"
    data = phi("data", "check", str(train), "--json").json["data"]
    assert (data["usable"], data["errors"], data["tokens"], data["findings"]) == (True, 0, None, [])
    assert (data["files"][0]["examples"], data["files"][0]["answers"]) == (23, 25)


def test_data_that_must_not_be_used(phi: Phi, train: Path) -> None:
    with train.open("ab") as file:
        file.write(b'{"messages": []}\n' * 30 + line(GOOD))
    done = phi("data", "check", str(train))
    assert done.code == 9
    assert done.out.count("the list of messages is empty") == 20
    assert "and 10 more" in done.out
    assert f"{train}:54: the same example as in line 21" in done.out
    assert "must not be used: 31 errors in 31 lines" in done.err
    reply = phi("data", "check", str(train), "--json")
    assert (reply.code, reply.json["error"]["code"]) == (9, "check_failed")
    assert len(reply.json["data"]["findings"]) == 31
    assert reply.json["data"]["findings"][0]["place"] == "messages"


def test_all_broken_variants_in_one_file(phi: Phi, tmp_path: Path) -> None:
    good, path = numbered(len(BROKEN)), tmp_path / "broken.jsonl"
    pairs = zip(good, (one.data for one in BROKEN), strict=True)
    path.write_bytes(b"".join([b"".join(map(b"".join, pairs)), line(THINKING), line(OF_THE_CARD)]))
    reply = phi("data", "check", str(path), "--json")
    assert reply.code == 9
    found = [one for one in reply.json["data"]["findings"] if one["severity"] == "error"]
    kinds = {2 * number: one.kind for number, one in enumerate(BROKEN, 1)}
    assert {one["line"] for one in found} == set(kinds), "those that are broken, and no others"
    for number, kind in kinds.items():
        assert kind in {one["kind"] for one in found if one["line"] == number}
    assert f"{len(BROKEN)} lines" in reply.json["error"]["message"]


def test_tokens_of_a_model(phi: Phi, train: Path) -> None:
    done = phi("data", "check", str(train), "--model", "tiny-phi")
    assert done.code == 0
    assert "tokens per example in the format of tiny-phi: min " in done.out
    assert "no example exceeds the context of 1,024 tokens" in done.out
    tokens = phi("data", "check", "-", "--model", "tiny-phi", "--json", stdin=train.read_bytes()).json["data"]["tokens"]
    assert tokens["context_tokens"] == 1024
    assert tokens["min"] <= tokens["median"] <= tokens["p95"] <= tokens["max"]
    assert sum(one["examples"] for one in tokens["histogram"]) == 23
    assert tokens["counted_tps"] > 0
    long = {"messages": [{"role": "user", "content": "word " * 2000}, {"role": "assistant", "content": "x"}]}
    train.write_bytes(b"".join([*numbered(20), line(long)]))
    done = phi("data", "check", str(train), "--model", "tiny-phi")
    assert (done.code, "1 example exceeds" in done.out) == (9, True)
    assert f"{train}:21: " in done.out
    assert phi("data", "check", str(train), "--model", "tiny-fi").code == 3


def test_validation_and_service(phi: Phi, train: Path) -> None:
    done = phi("data", "check", str(train), "--validation", str(train))
    assert (done.code, "all of its 23 examples are in" in done.out) == (9, True)
    assert f"phi data split {train}" in done.err
    done = phi("data", "check", str(train), "--for", "openai")
    assert (done.code, "OpenAI does not take reasoning" in done.out) == (9, True)
    assert phi("data", "check", str(train), "--for", "gcp").code == 2
    assert phi("data", "check", "-", "--validation", "-", stdin=b"").code == 2


def test_files_that_cannot_be_read(phi: Phi, train: Path) -> None:
    done = phi("data", "check", str(train.with_name("trian.jsonl")))
    assert done.code == 3
    assert f"did you mean {train}?" in " ".join(done.err.split())
    assert phi("data", "check", str(train.parent)).code == 2
    assert phi("data", "split", str(train.parent)).code == 2


def test_split(phi: Phi, train: Path) -> None:
    done = phi("data", "split", str(train), "--validation", "5", "--seed", "3", "--json")
    assert done.code == 0
    data = done.json["data"]
    assert (data["training"]["examples"], data["validation"]["examples"], data["seed"]) == (18, 5, 3)
    training, validation = Path(data["training"]["path"]), Path(data["validation"]["path"])
    assert (training.name, validation.name) == ("train.train.jsonl", "train.validation.jsonl")
    assert phi("data", "check", str(training), "--validation", str(validation)).code == 0
    again = phi("data", "split", str(train))
    assert (again.code, "already exists" in again.err) == (2, True)
    assert phi("data", "split", str(train), "--force", "--validation", "0.2").code == 0
    assert phi("data", "split", str(train), "--force", "--training-output", str(train)).code == 2
    assert train.read_bytes().count(b"\n") == 23


def test_a_key_of_a_person_is_allowed_by_what_the_error_says(phi: Phi, train: Path) -> None:
    train.write_bytes(b"".join(line({**json.loads(one), "my group": 1}) for one in numbered(12)))
    done = phi("data", "check", str(train))
    assert (done.code, "--allow-key 'my group'" in done.err) == (9, True), done.err
    assert phi("data", "check", str(train), "--allow-key", "my group").code == 0


def test_a_split_of_a_named_pipe_is_written_to_this_folder(tmp_path: Path, environment: dict[str, str]) -> None:
    script = f'cd "{tmp_path}"; "{sys.executable}" -m phicli data split <(cat in.jsonl)'
    (tmp_path / "in.jsonl").write_bytes(b"".join(numbered(20)))
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "data.validation.jsonl").read_bytes().count(b"\n") == 2


def test_convert_through_pipes(phi: Phi) -> None:
    alpaca = json.dumps([{"instruction": f"Q{n}", "input": "", "output": f"A{n}"} for n in range(12)]).encode()
    made = phi("data", "convert", "-", stdin=alpaca)
    assert (made.code, made.out.count("\n")) == (0, 12)
    assert "12 examples written, converted from alpaca to messages" in made.err
    assert phi("data", "check", "-", stdin=made.out.encode()).code == 0
    table = phi("data", "convert", "-", "--to", "csv", stdin=made.out.encode())
    assert table.out.splitlines()[:2] == ["system,user,assistant", ",Q0,A0"]
    back = phi("data", "convert", "-", "--from", "csv", "--system", "Be short.", stdin=table.out.encode())
    assert json.loads(back.out.splitlines()[0])["messages"][0] == {"role": "system", "content": "Be short."}


def test_convert_to_a_file(phi: Phi, tmp_path: Path, train: Path) -> None:
    out = tmp_path / "azure.jsonl"
    done = phi("data", "convert", str(train), "--to", "azure", "-o", str(out), "--json")
    assert (done.code, done.json["data"]["examples"], done.json["data"]["output"]) == (0, 23, str(out))
    assert out.read_bytes()[:3] == b"\xef\xbb\xbf"
    assert phi("data", "check", str(out), "--for", "azure").code == 0
    assert phi("data", "convert", str(train), "-o", str(out)).code == 2
    left = phi("data", "convert", str(train), "--to", "csv", "-o", str(out), "--force", "--json")
    assert (left.code, left.json["data"]["left_out"]) == (9, 2)
    assert phi("data", "convert", str(train), "--json").code == 2
    assert phi("data", "convert").code == 2


def test_names_and_outputs_that_cannot_be(phi: Phi, tmp_path: Path, train: Path, environment: dict[str, str]) -> None:
    before = train.read_bytes()
    for command in ("check", "split", "convert"):
        done = phi("data", command, "")
        assert (done.code, "the name of the file is empty" in done.err) == (2, True)
    done = phi("data", "split", str(train), "--training-output", "-")
    assert (done.code, "standard output cannot be one of two files" in done.err) == (2, True)
    for command in ([str(train), "-o", str(train)], ["-", "-o", str(train)]):
        with train.open("rb") as file:
            words = [sys.executable, "-m", "phicli", "data", "convert", *command, "--force", "--to", "csv"]
            done_here = subprocess.run(words, stdin=file, env=environment, capture_output=True, check=False)
        assert (done_here.returncode, b"cannot be written while it is read" in done_here.stderr) == (2, True)
    assert train.read_bytes() == before
    (tmp_path / "-day.jsonl").write_bytes(before)
    words = [sys.executable, "-m", "phicli", "data", "check", "-day.jsonl"]
    done_here = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (done_here.returncode, b"the file of that name is typed: ./-day.jsonl" in done_here.stderr) == (2, True)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
def test_standard_output_that_is_closed(train: Path, environment: dict[str, str]) -> None:
    script = f'"{sys.executable}" -m phicli data convert "{train}" >&-'
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=False)
    assert (done.returncode, b"standard output is closed" in done.stderr) == (2, True), done.stderr


def test_latin_1_is_converted(phi: Phi, tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(json.dumps({"prompt": "é?", "completion": "ö"}, ensure_ascii=False).encode("latin-1"))
    done = phi("data", "convert", str(path))
    assert (done.code, "--input-encoding latin-1" in done.err) == (9, True)
    done = phi("data", "convert", str(path), "--input-encoding", "latin-1")
    assert json.loads(done.out)["messages"][0]["content"] == "é?"


def test_saved_sessions_become_training_data(phi: Phi) -> None:
    for name, question in [("one", "What is the capital of France?"), ("two", "Who wrote Hamlet?")]:
        assert phi("chat", "tiny-phi", question, "--session", name, "-q").code == 0
    done = phi("data", "convert", "--session", "one", "--session", "last")
    assert done.code == 0
    first, second = (json.loads(one)["messages"] for one in done.out.splitlines())
    assert [one["content"] for one in first[-2:]] == [
        "What is the capital of France?", "The capital of France is Paris.",
    ]  # fmt: skip
    assert second[-1]["role"] == "assistant"
    assert phi("data", "convert", "--session", "three").code == 3


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_in_a_check_shows_what_was_found(environment: dict[str, str], *, as_json: bool) -> None:
    command = [sys.executable, "-m", "phicli", "data", "check", "-", *(["--json"] if as_json else [])]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    assert process.stdin is not None
    process.stdin.write(b"".join([*numbered(20_000), b"{]\n", *numbered(20_000, 20_000)]))  # more than a pipe holds
    process.stdin.flush()
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    if as_json:
        found = json.loads(out)
        assert found["error"]["code"] == "interrupted"
        assert [(one["kind"], one["line"]) for one in found["data"]["findings"]] == [("json", 20_001)]
    else:
        assert b"standard input:20001, column 2: not JSON" in out
        assert b"stopped in line " in err
        assert b"the rest was not checked" in err


def test_every_line_that_is_not_json_is_reported(phi: Phi, train: Path, tmp_path: Path) -> None:
    lines = numbered(4)
    train.write_bytes(lines[0] + b"{]\n" + lines[1] + lines[2][:-4] + b"\n" + b"\xe9\n" + lines[3])
    new = tmp_path / "new.jsonl"
    done = phi("data", "convert", str(train), "-o", str(new))
    assert done.code == 9
    assert new.read_bytes() == lines[0] + lines[1] + lines[3]
    shown = " ".join(done.err.split())
    assert all(f"train.jsonl:{number}, column " in shown for number in (2, 4, 5)), done.err
    assert "3 examples left out, 3 written as messages" in shown
    done = phi("data", "split", str(train))
    assert (done.code, "train.jsonl:2, column 2" in done.err, "phi data check" in done.err) == (9, True, True)
    assert not list(train.parent.glob("train.train*"))


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "phicli", "data", "convert", "-", "-o", str(tmp_path / "out.jsonl")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    process.stdin.write(b"".join(numbered(20_000)))
    process.stdin.flush()
    wait_until(lambda: bool(list(tmp_path.glob(".out.jsonl.*"))))
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, b"Traceback" in said) == (130, False), said.decode()
    assert not list(tmp_path.glob("*out.jsonl*"))


def test_a_full_disk(phi: Phi, tmp_path: Path, train: Path) -> None:
    train.write_bytes(b"".join(numbered(20_000)))
    with small_file_system(tmp_path / "disk", "size=256k") as disk:
        for command in (
            ["convert", str(train), "-o", str(disk / "a.jsonl")],
            ["split", str(train), "--training-output", str(disk / "a"), "--validation-output", str(disk / "b")],
        ):
            done = phi("data", *command)
            assert (done.code, "is full" in done.err) == (5, True), done.err
            assert not list(disk.iterdir())


def test_help_and_wrong_words(phi: Phi) -> None:
    assert "check" in phi("data", "--help").out
    assert "did you mean phi data check" in phi("data", "chek", "x").err
    assert "--allow-key" in phi("data", "check", "--help").out
