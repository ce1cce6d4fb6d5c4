"""``phi chat --samples`` and ``--logprobs``, as scripts use them."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phicli.engine.abilities import Ability
from phicli.engine.starting import require
from phicli.errors import UsageError
from tests.support.processes import gone, wait_for_work
from tests.support.running import Phi

FRANCE = "What is the capital of France?"
REASONS = "Your name is Phi, an AI math expert developed by Microsoft."
HOT = ("--temperature", "9", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--seed", "7", "-n", "12")


def test_samples_are_what_their_seeds_give_alone(phi: Phi) -> None:
    data = phi("chat", "tiny-phi", FRANCE, *HOT, "--samples", "3", "--json").json["data"]
    assert [(one["sample"], one["seed"]) for one in data["samples"]] == [(1, 7), (2, 8), (3, 9)]
    texts = [one["text"] for one in data["samples"]]
    assert len(set(texts)) == 3
    assert data["text"] == texts[0]
    for seed, text in zip(("7", "8", "9"), texts, strict=True):
        alone = phi("chat", "tiny-phi", FRANCE, *HOT, "--seed", seed, "--json").json["data"]
        assert alone["text"] == text
        assert "samples" not in alone


def test_the_prompt_is_evaluated_once(phi: Phi) -> None:
    samples = phi("chat", "tiny-phi", FRANCE, *HOT, "--samples", "2", "--json").json["data"]["samples"]
    usage = [one["usage"] for one in samples]
    assert usage[0]["prompt_tokens"] == usage[1]["prompt_tokens"]
    assert [one["cached_tokens"] for one in usage] == [0, usage[1]["prompt_tokens"] - 1]


def test_standard_output_has_only_the_answers(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--temperature", "0", "--samples", "2")
    assert run.out == "The capital of France is Paris.\n\nThe capital of France is Paris.\n"
    assert run.err == "note: at temperature 0 all samples are equal; add --temperature 0.7\n"
    assert phi("chat", "tiny-phi", FRANCE, "--temperature", "0", "--samples", "2", "--quiet").err == ""


def test_samples_with_a_form_are_a_line_each(phi: Phi) -> None:
    arguments = ("chat", "tiny-phi", FRANCE, *HOT, "--samples", "5", "--choice", "Paris,Rome")
    run = phi(*arguments)
    assert (run.code, run.err, len(run.out.splitlines())) == (0, "", 5)
    assert set(run.out.split()) <= {"Paris", "Rome"}
    samples = phi(*arguments, "--json").json["data"]["samples"]
    assert [one["parsed"] for one in samples] == run.out.split()
    assert {one["attempts"] for one in samples} == {1}


def test_samples_that_fail_do_not_end_the_others(phi: Phi) -> None:
    """Some answers are longer than the limit of tokens."""
    arguments = ("chat", "tiny-phi", FRANCE, *HOT[:-1], "2", "--samples", "9", "--regex", "[ab]{1,40}")
    alone = [phi(*arguments[:-4], *arguments[-2:], "--seed", str(seed)) for seed in range(7, 16)]
    right, wrong = [run.out for run in alone if run.code == 0], [run for run in alone if run.code == 9]
    assert len(right) >= 1, "without both, the test says nothing"
    assert len(wrong) >= 2, "without both, the test says nothing"
    run = phi(*arguments)
    assert (run.code, run.out) == (9, "".join(right))
    *notes, error, hint = run.err.splitlines()
    assert [note.startswith("note: sample ") for note in notes] == [True] * len(wrong)
    assert error.startswith(f"error: {len(wrong)} of 9 samples failed; sample ")
    assert hint == "  → allow more tokens: --max-tokens 4"
    failed = phi(*arguments, "--json")
    data = failed.json["data"]
    assert (failed.code, [one["text"] + "\n" for one in data["samples"]]) == (9, right)
    assert sorted(one["seed"] for one in (*data["samples"], *data["failed"])) == list(range(7, 16))
    assert {(one["finish_reason"], one["attempts"], one["usage"]["completion_tokens"]) for one in data["failed"]} == {
        ("length", 1, 2)
    }
    events = [json.loads(line) for line in phi(*arguments, "--events").out.splitlines()]
    assert [one["seed"] for one in events if one.get("event") == "failed"] == [one["seed"] for one in data["failed"]]
    assert [one["text"] + "\n" for one in events if one.get("event") == "done"] == right
    assert events[-1]["error"]["code"] == "check_failed"


def test_where_no_sample_matches_nothing_is_on_standard_output(phi: Phi) -> None:
    arguments = ("chat", "tiny-phi", FRANCE, *HOT, "--samples", "2", "--retries", "0")
    schema = json.dumps({"anyOf": [{"const": "a"}], "not": {"const": "a"}})
    run = phi(*arguments, "--schema", schema, "--quiet")
    assert (run.code, run.out) == (9, "")
    assert run.err.startswith("error: 2 of 2 samples failed; sample 1 of 2: the answer does not match the schema")
    data = phi(*arguments, "--schema", schema, "--json").json["data"]
    assert (data["samples"], [one["text"] for one in data["failed"]], data["model"]) == ([], ['"a"'] * 2, "tiny-phi")


def test_notes_about_samples(phi: Phi, tmp_path: Path) -> None:
    """A file is counted once, and a sample that is cut off has its number."""
    (tmp_path / "people.txt").write_text("Marie and Pierre")
    run = phi(
        "chat", "tiny-phi", FRANCE, "--file", str(tmp_path / "people.txt"), "-n", "3", "--samples", "3", *HOT[:-2]
    )
    assert run.code == 0
    first, *others = run.err.splitlines()
    assert first.endswith("people.txt: 16 tokens") or "people.txt: " in first
    assert others == [f"note: sample {number} of 3 was cut off after 3 tokens" for number in (1, 2, 3)]


def test_events_say_which_sample_they_belong_to(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, *HOT, "--samples", "2", "--events")
    events = [json.loads(line) for line in run.out.splitlines()]
    ends = [(one["event"], one["sample"], one["seed"]) for one in events if one["event"] in ("start", "done")]
    assert ends == [("start", 1, 7), ("done", 1, 7), ("start", 2, 8), ("done", 2, 8)]


def test_tokens_with_their_probabilities(phi: Phi) -> None:
    data = phi("chat", "tiny-phi", FRANCE, "--temperature", "0", "--logprobs", "2", "--json").json["data"]
    tokens = data["logprobs"]
    assert "".join(one["token"] for one in tokens).strip() == data["text"] == "The capital of France is Paris."
    for one in tokens:
        assert one["top"][0] == {name: one[name] for name in ("token", "id", "logprob")}
        assert one["top"][0]["logprob"] >= one["top"][1]["logprob"]
        assert sum(math.exp(other["logprob"]) for other in one["top"]) < 1.001
    plain = phi("chat", "tiny-phi", FRANCE, "--temperature", "0", "--json").json["data"]
    assert (plain["text"], "logprobs" in plain) == (data["text"], False)


def test_zero_is_the_tokens_alone_and_events_end_with_them(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--logprobs", "0", "--events", "--samples", "2")
    for done in (event for event in map(json.loads, run.out.splitlines()) if event["event"] == "done"):
        assert "".join(one["token"] for one in done["logprobs"]).strip() == done["text"]
        assert {len(one["top"]) for one in done["logprobs"]} == {0}


def test_reasoning_has_no_probabilities(phi: Phi) -> None:
    arguments = ("chat", "tiny-phi", "What is 7 + 5?", "--system", REASONS, "--temperature", "0")
    for more in ((), ("--regex", r"\d+ \+ \d+ = \d\d")):
        data = phi(*arguments, *more, "--logprobs", "1", "--json").json["data"]
        assert data["reasoning"]
        assert "".join(one["token"] for one in data["logprobs"]).strip() == data["text"].strip()


def test_probabilities_are_those_before_the_grammar(phi: Phi) -> None:
    data = phi("chat", "tiny-phi", FRANCE, "--choice", "Rome,Oslo", "--logprobs", "3", "--json").json["data"]
    assert "".join(one["token"] for one in data["logprobs"]) == data["text"]
    first = data["logprobs"][0]
    assert first["id"] not in [one["id"] for one in first["top"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--logprobs", "3"], "--logprobs requires --json or --events"),
        (["--logprobs", "21", "--json"], "--logprobs 21 is not between 0 and 20"),
        (["--logprobs", "-1", "--json"], "--logprobs -1 is not between 0 and 20"),
        (["--samples", "0"], "--samples 0 is not between 1 and 100"),
        (["--context", "10"], "--context 10 is less than 32"),
        (["--samples", "101"], "--samples"),
        (["--samples", "2", "--session", "a"], "--samples and a saved session cannot be used together"),
        (["--samples", "2", "--interactive"], "--interactive"),
    ],
)
def test_what_makes_no_sense_is_refused(phi: Phi, arguments: list[str], words: str) -> None:
    run = phi("chat", "tiny-phi", FRANCE, *arguments)
    assert run.code == 2
    assert words in run.out + run.err


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_an_interruption_has_the_answers_before_it(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE, *HOT[:-1], "150", "--samples", "100"]
    process = subprocess.Popen(
        [*command, "--json"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    engine = wait_for_work(process.pid, 1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    printed = json.loads(out)
    assert (process.returncode, err, printed["error"]["code"]) == (130, b"", "interrupted")
    numbers = [one["sample"] for one in printed["data"]["samples"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 1 <= len(numbers) < 100
    assert gone(engine)


def test_samples_need_a_question(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", "--samples", "2")
    assert (run.code, run.out) == (2, "")


def test_an_engine_without_probabilities_says_so() -> None:
    with pytest.raises(UsageError, match="ctransformers cannot report the probabilities of tokens"):
        require("ctransformers", Ability.SCORES)
