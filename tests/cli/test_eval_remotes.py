"""``phi eval`` and ``phi bench`` with models of remotes, beside models of this machine."""

from __future__ import annotations

import csv
import io
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from phicli.records.history import History
from tests.cli.test_bench_eval import KNOWN, many, started, wait_for, write
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.running import Phi
from tests.support.servers import Serve, serve

__all__ = ["serve"]
ANSWERS = {
    "What is the capital of France?": "The capital of France is Paris.", "What is 7 + 5?": "It is 12.",
    "ping": "pong", "How many legs does a spider have?": "Eight.",
}  # fmt: skip


def by_question(answers: dict[str, str], **how: Any) -> Endpoint:
    """An endpoint that answers these questions, and others with a dash."""

    def behave(_: int) -> Behaviour:
        question = endpoint.current.body["messages"][-1]["content"]
        return Behaviour(pieces=(answers.get(question, "-"),), finish="stop", **how)

    endpoint = Endpoint(behave)
    return endpoint


def add(phi: Phi, endpoint: Endpoint, *more: str, name: str = "lab") -> None:
    run = phi("remotes", "add", name, endpoint.url, *more)
    assert run.code == 0, run.err


@pytest.fixture
def known(tmp_path: Path) -> str:
    return write(tmp_path / "known.jsonl", *KNOWN)


def test_models_and_remotes_are_in_one_table_and_compared(phi: Phi, known: str, tmp_path: Path) -> None:
    with by_question(ANSWERS) as endpoint:
        add(phi, endpoint, "--kind", "vllm")
        run = phi("eval", "lab/phi-4", "tiny-phi", "--set", known, "--json", "--seed", "7")
        assert (run.code, run.err) == (0, "")
        bodies = [one.body for one in endpoint.chats]
        text = phi("eval", "lab/phi-4", "tiny-phi", "--set", known, "--seed", "7")
        assert len(endpoint.chats) == len(bodies) == len(KNOWN), "saved replies are not asked again"
    assert {body["model"] for body in bodies} == {"phi-4"}
    assert {(body["temperature"], body["seed"], body["max_completion_tokens"]) for body in bodies} == {(0.0, 7, 256)}
    first, second = run.json["data"]["evaluations"]
    assert (first["model"], first["right"], first["asked"]) == ("lab/phi-4", 4, 8)
    assert (second["model"], second["right"], second["asked"]) == ("tiny-phi", 7, 8)
    assert [first[name] for name in ("sha256", "path", "size_bytes", "quant")] == [None] * 4
    assert first["remote"] == {"name": "lab", "url": endpoint.url, "kind": "vllm", "model": "phi-4"}
    (pair,) = run.json["data"]["comparisons"]
    assert (pair["first"], pair["second"]) == ("lab/phi-4", "tiny-phi:f16")
    assert (pair["only_first"], pair["only_second"], pair["items"]) == (0, 3, 8)
    rows = [line.split() for line in text.out.splitlines()[2:5]]
    assert [row[:5] for row in rows[1:]] == [
        ["lab/phi-4", "4", "of", "8", "50.0%"],
        ["tiny-phi:f16", "7", "of", "8", "87.5%"],
    ]
    entries = History(tmp_path / "phi" / "data" / "runs.sqlite").entries(kind="eval")
    assert {(entry.model, entry.engine, entry.build) for entry in entries if entry.model == "lab/phi-4"} == {
        ("lab/phi-4", endpoint.url, "")
    }
    listed = phi("runs", "list")
    assert "lab/phi-4" in listed.out
    assert endpoint.url in listed.out
    shown = phi("runs", "show", next(entry.run_id for entry in entries if entry.model == "lab/phi-4"))
    assert (shown.code, "vllm" in shown.out) == (0, True)


def test_tables_for_programs_have_remotes_too(phi: Phi, known: str) -> None:
    with by_question(ANSWERS) as endpoint:
        add(phi, endpoint, "--kind", "openai")
        as_csv = phi("eval", "lab/phi-4", "--set", known, "--csv")
        jsonl = phi("eval", "lab/phi-4", "--set", known, "--jsonl", "--limit", "1")
        markdown = phi("eval", "lab/phi-4", "--set", known, "--markdown")
    (record,) = csv.DictReader(io.StringIO(as_csv.out))
    assert (record["model"], record["right"], record["path"], record["sha256"]) == ("lab/phi-4", "4", "", "")
    assert json.loads(jsonl.out)["model"] == "lab/phi-4"
    assert "| lab/phi-4 | 4 of 8 | 50.0% |" in markdown.out


def test_replies_belong_to_the_address_the_product_and_the_model(phi: Phi, known: str) -> None:
    with by_question(ANSWERS) as one, by_question(ANSWERS) as other:
        add(phi, one, "--kind", "vllm")
        for name, more in (("lab/phi-4", 8), ("lab/phi-4", 8), ("lab/other", 16)):
            assert phi("eval", name, "--set", known).code == 0
            assert len(one.chats) == more
        add(phi, one, "--kind", "vllm", name="again")
        assert phi("eval", "again/phi-4", "--set", known).code == 0
        assert len(one.chats) == 16, "the name of the remote does not matter"
        add(phi, other, "--kind", "vllm", name="elsewhere")
        assert phi("eval", "elsewhere/phi-4", "--set", known).code == 0
        assert len(other.chats) == 8


def test_a_remote_typed_twice_is_asked_once(phi: Phi, known: str) -> None:
    with by_question(ANSWERS) as endpoint:
        add(phi, endpoint)
        run = phi("eval", "lab/phi-4", "lab/phi-4", "--set", known, "--json")
        assert len(endpoint.chats) == 8
    assert len(run.json["data"]["evaluations"]) == 1


def test_a_remote_gives_the_same_replies_as_its_model_here(phi: Phi, serve: Serve, known: str) -> None:
    server = serve("tiny-phi")
    assert phi("remotes", "add", "lab", f"{server.first_line}/v1", "--kind", "phi").code == 0
    run = phi("eval", "tiny-phi", "lab/tiny-phi", "--set", known, "--json")
    here, there = run.json["data"]["evaluations"]
    assert [one["text"] for one in here["results"]] == [one["text"] for one in there["results"]]
    assert there["right"] == 7
    assert there["settings"]["slots"] == 4


def test_a_question_that_a_remote_refuses_is_named_and_counts_as_neither(phi: Phi, tmp_path: Path) -> None:
    refused = b'{"error": {"message": "The response was filtered"}}'
    questions = write(tmp_path / "q.jsonl", *KNOWN[:3])
    with by_question(ANSWERS) as endpoint:
        usual = endpoint.behave

        def behave(number: int) -> Behaviour:
            asks = "7 + 5" in endpoint.current.body["messages"][-1]["content"]
            return Behaviour(status=400, body=refused) if asks else usual(number)

        endpoint.behave = behave
        add(phi, endpoint, "--kind", "nvidia")
        run = phi("eval", "lab/phi-4", "--set", questions, "--json")
    (found,) = run.json["data"]["evaluations"]
    assert (found["right"], found["failed"], found["asked"]) == (2, 1, 3)
    (failed,) = (one for one in found["results"] if one["right"] is None)
    assert (failed["id"], failed["finish_reason"]) == ("sum", "error")
    assert "filtered" in failed["error"]


def test_a_remote_that_cannot_be_reached_takes_nothing_of_the_others_with_it(phi: Phi, known: str) -> None:
    assert phi("remotes", "add", "dead", "http://127.0.0.1:9/v1", "--kind", "vllm").code == 0
    run = phi("eval", "tiny-phi", "dead/phi-4", "--set", known)
    assert run.code == 4
    assert "7 of 8" in run.out
    assert "127.0.0.1:9 cannot be reached" in run.err
    again = phi("eval", "dead/phi-4", "--set", known, "--json")
    assert (again.code, again.json["error"]["code"]) == (4, "network")


def test_a_key_is_sent_to_its_remote_and_shown_nowhere(phi: Phi, known: str, tmp_path: Path) -> None:
    with by_question(ANSWERS) as endpoint:
        endpoint.key = "sk-of-the-lab"
        add(phi, endpoint, "--kind", "vllm", "--key-env", "LAB_KEY")
        missing = phi("eval", "lab/phi-4", "--set", known)
        assert (missing.code, "LAB_KEY is not set" in missing.err) == (2, True)
        wrong = phi("eval", "lab/phi-4", "--set", known, LAB_KEY="sk-wrong-one")
        assert (wrong.code, "sk-wrong-one" in wrong.err + wrong.out) == (4, False)
        right = phi("eval", "lab/phi-4", "--set", known, "--json", LAB_KEY="sk-of-the-lab")
        assert right.code == 0
        bench = phi("bench", "lab/phi-4", "--quick", "--json", LAB_KEY="sk-of-the-lab")
        assert bench.code == 0
    written = b"".join(path.read_bytes() for path in (tmp_path / "phi").rglob("*") if path.is_file())
    assert b"sk-of-the-lab" not in written
    assert "sk-of-the-lab" not in right.out + right.err + bench.out + bench.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("eval", "lab/", "--set", "arithmetic"), "the name of the model is missing after lab/"),
        (("eval", "lab/phi-4", "--set", "arithmetic", "--threads", "2"), "--threads is for models on this machine"),
        (("eval", "lab/phi-4", "--set", "arithmetic", "--context", "512"), "--context is for models on this machine"),
        (("eval", "tiny-phi", "lab/phi-4", "--set", "arithmetic", "--adapter", "x"), "lab/phi-4 is on a remote"),
        (("bench", "lab/phi-4", "tiny-phi"), "cannot be compared with tiny-phi"),
        (("bench", "tiny-phi", "lab/phi-4"), "cannot be compared with tiny-phi"),
        (("bench", "lab/phi-4", "lab/other"), "cannot be compared with lab/other"),
        (("bench", "lab/phi-4", "--url", "http://127.0.0.1:1/v1"), "cannot be compared with http://127.0.0.1:1/v1"),
        (("bench", "lab/phi-4", "--depth", "128"), "--depth cannot be used with an endpoint"),
        (("autotune", "lab/phi-4"), "lab/phi-4 is a model on the remote lab: phi autotune tunes"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    phi: Phi, arguments: tuple[str, ...], said: str
) -> None:
    with Endpoint() as endpoint:
        add(phi, endpoint, "--kind", "vllm")
        before = len(endpoint.asked)
        run = phi(*arguments)
        assert len(endpoint.asked) == before
    assert (run.code, run.out) == (2, "")
    assert said in run.err
    assert "→" in run.err or "->" in run.err


def test_bench_measures_the_model_of_a_remote_as_its_product_takes_it(phi: Phi, tmp_path: Path) -> None:
    with Endpoint(lambda _: Behaviour(pieces=("a ",) * 8)) as endpoint:
        add(phi, endpoint, "--kind", "vllm")
        run = phi("bench", "lab/Microsoft/Phi-4", "-n", "8", "-p", "32", "--requests", "4", "--json")
        assert run.code == 0, run.err
        assert {one.body["model"] for one in endpoint.chats} == {"Microsoft/Phi-4"}
        assert all(one.body["max_completion_tokens"] and "max_tokens" not in one.body for one in endpoint.chats)
    (entry,) = History(tmp_path / "phi" / "data" / "runs.sqlite").entries()
    assert (entry.kind, entry.model, entry.engine) == ("endpoint", "Microsoft/Phi-4", endpoint.url)
    assert entry.data["settings"]["remote"] == "lab"
    exported = next(csv.DictReader(io.StringIO(phi("runs", "export", "--csv").out)))
    assert exported["kind"] == "endpoint"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_awaits_what_is_under_way_and_a_second_one_does_not(
    phi: Phi, environment: dict[str, str], tmp_path: Path, presses: int
) -> None:
    """After five answers the endpoint is slow, or sends nothing any more."""
    pressed = threading.Event()

    def behave(number: int) -> Behaviour:
        if number >= 5 and presses == 2:
            return Behaviour(hangs_after=1)
        if number >= 5:
            pressed.wait(60)
        return Behaviour(pieces=("40",), finish="stop")

    with Endpoint(behave) as endpoint:
        add(phi, endpoint, "--kind", "vllm")
        questions = many(tmp_path, 100)
        with started([sys.executable, "-m", "phicli", "eval", "lab/phi-4", "--set", questions], environment) as process:
            wait_for(lambda: len(endpoint.chats) >= 5 + 32)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            said = process.stderr.readline()
            while b"interrupted: waiting for 32 answers under way" not in said:
                assert said, "it has not said what it waits for"
                said = process.stderr.readline()
            pressed.set()
            if presses == 2:
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    answered = 5 if presses == 2 else 5 + 32
    assert len(endpoint.chats) == 5 + 32, "nothing new is asked"
    assert process.returncode == 130
    assert f"{answered} of {answered}" in out.decode()
    assert f"interrupted: {answered} of 100 questions were asked" in err.decode()


def test_a_model_that_the_remote_does_not_have_is_not_found(phi: Phi, known: str) -> None:
    missing = {"error": {"message": "The model `phi-5` does not exist", "code": "model_not_found"}}
    with Endpoint(lambda _: Behaviour(status=404, body=json.dumps(missing).encode())) as endpoint:
        add(phi, endpoint)
        run = phi("eval", "lab/phi-5", "--set", known)
    assert run.code == 3, run.err
    assert "The model `phi-5` does not exist" in run.err


def test_a_missing_key_is_found_before_any_model_is_asked(phi: Phi, known: str) -> None:
    with by_question(ANSWERS) as endpoint, by_question(ANSWERS) as other:
        add(phi, endpoint, "--kind", "vllm")
        add(phi, other, "--kind", "vllm", "--key-env", "OTHER_KEY", name="other")
        run = phi("eval", "lab/phi-4", "other/phi-4", "--set", known)
        assert run.code == 2
        assert "OTHER_KEY is not set" in run.err
        assert endpoint.asked == other.asked == []
