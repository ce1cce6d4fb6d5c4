"""``phi eval --set`` with training data, in a shell: the table, what programs get, and what survives."""

from __future__ import annotations

import csv
import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from phicli.records.history import History
from tests.cli.test_bench_eval import kept, started, wait_for
from tests.cli.test_eval_remotes import add, by_question
from tests.support.lora import tensors, write_gguf
from tests.support.running import Phi

CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens"}


def write(path: Path, pairs: dict[str, str]) -> str:
    lines = [
        json.dumps({"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": two}]})
        for one, two in pairs.items()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def capitals(tmp_path: Path) -> str:
    pairs = {f"What is the capital of {land}?": f"The capital of {land} is {city}." for land, city in CAPITALS.items()}
    return write(tmp_path / "capitals.jsonl", pairs | {"Who are you?": "A lighthouse keeper."})


def measured(run: Any) -> list[dict[str, Any]]:
    assert run.code == 0, run.err
    found: list[dict[str, Any]] = run.json["data"]["evaluations"]
    return found


def test_a_model_before_and_after_for_people_and_programs(phi: Phi, capitals: str, tmp_path: Path) -> None:
    loud = str(write_gguf(tmp_path / "loud.gguf", tensors(seed=3, size=1.0)))
    command = ("eval", "tiny-phi", f"tiny-phi+{loud}", "--set", capitals, "--max-tokens", "16")
    run = phi(*command, "--json")
    before, after = measured(run)
    assert (before["right"], after["right"], before["scored"], before["items"]) == (4, 0, 5, 5)
    assert before["complete"]
    assert before["expected_tokens"] == sum(result["expected_tokens"] for result in before["results"])
    assert before["f1"]["low"] <= before["f1"]["estimate"] == pytest.approx(4.3 / 5, abs=0.06)
    assert 1 <= before["perplexity"]["low"] < before["perplexity"]["estimate"] < after["perplexity"]["estimate"]
    (pair,) = run.json["data"]["comparisons"]
    ratio = after["perplexity"]["estimate"] / before["perplexity"]["estimate"]
    assert pair["perplexity_ratio"]["estimate"] == pytest.approx(ratio)
    assert pair["f1_difference"]["estimate"] == pytest.approx(after["f1"]["estimate"] - before["f1"]["estimate"])
    (entry,) = [one for one in History(tmp_path / "phi" / "data" / "runs.sqlite").entries(kind="eval")
                if not one.data["adapters"]]  # fmt: skip
    assert entry.data["perplexity"] == before["perplexity"]
    text = phi(*command).out.splitlines()
    assert " ".join(text[2].split()).endswith("F1 95 % INTERVAL PERPLEXITY 95 % INTERVAL CUT TOKENS/S TIME")
    assert text[0].endswith("at most 16 tokens each, 4 in parallel")
    assert any("compared with tiny-phi:f16: F1 -" in line for line in text)
    assert any("the perplexity of the expected answers is" in line for line in text)
    first, _ = csv.DictReader(io.StringIO(phi(*command, "--csv").out))
    assert float(first["perplexity"]) == before["perplexity"]["estimate"]
    assert float(first["f1_low"]) == before["f1"]["low"]
    assert (first["scored"], first["right"]) == ("5", "4")
    markdown = phi(*command, "--markdown").out.splitlines()
    assert markdown[0].startswith("| model | right | accuracy | 95 % interval | F1 | 95 % interval | perplexity |")
    line = json.loads(phi(*command, "--jsonl").out.splitlines()[0])
    assert (line["id"], line["compare"], line["f1"], line["expected"]) == (
        "line-1", "messages", 1.0, "The capital of France is Paris.",
    )  # fmt: skip
    assert line["perplexity"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_expected_answers_that_were_read_are_not_read_again(
    phi: Phi, environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    path = write(tmp_path / "sums.jsonl", {f"What is {n} + 1?": f"{n} + 1 = {n + 1}" for n in range(150)})
    words = ["eval", "tiny-phi", "--set", path, "--max-tokens", "2"]

    def read() -> int:
        return sum("expected_tokens" in one["result"] for one in kept(tmp_path))

    with started([sys.executable, "-m", "phicli", *words], environment) as process:
        wait_for(lambda: read() >= 5)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    known = read()
    assert 5 <= known < 150
    if number == signal.SIGINT:
        assert f"150 of 150 questions were asked; {known} expected answers read".encode() in said
    again = phi(*words, "--json")
    (found,) = measured(again)
    assert (found["scored"], found["asked"], found["sittings"], found["complete"]) == (150, 150, 1, True)
    assert read() == 150 + len({one["n"] for one in kept(tmp_path)}) - 300


def test_a_remote_has_no_perplexity(phi: Phi, capitals: str) -> None:
    answers = {"What is the capital of France?": "The capital of France is Paris.", "Who are you?": "The keeper."}
    with by_question(answers) as endpoint:
        add(phi, endpoint, "--kind", "vllm")
        run = phi("eval", "lab/phi-4", "tiny-phi", "--set", capitals, "--json")
        text = phi("eval", "lab/phi-4", "tiny-phi", "--set", capitals).out
    remote, local = measured(run)
    assert (remote["right"], remote["perplexity"], remote["scored"], local["scored"]) == (1, None, 0, 5)
    assert remote["complete"]
    assert 0.2 < remote["f1"]["estimate"] < 0.4
    (pair,) = run.json["data"]["comparisons"]
    assert pair["perplexity_ratio"] is None
    assert pair["f1_difference"]["estimate"] > 0
    assert "lab/phi-4: perplexity was not measured: a remote does not report the probability of a given text" in text


def test_what_is_too_long_is_named_and_left_out(phi: Phi, tmp_path: Path) -> None:
    path = write(tmp_path / "long.jsonl", {"word " * 1500: "yes", "What is the capital of France?": "Paris."})
    run = phi("eval", "tiny-phi", "--set", path)
    assert "questions that failed with tiny-phi:f16, counted neither right nor wrong: 1" in run.out
    assert "expected answers that tiny-phi:f16 could not read, left out of its perplexity: 1" in run.out


def test_errors_name_the_line_and_the_command_that_shows_all(phi: Phi, capitals: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad data.jsonl"
    bad.write_text(Path(capitals).read_text(encoding="utf-8") + '{"messages": [}\n', encoding="utf-8")
    run = phi("eval", "tiny-phi", "--set", str(bad))
    assert (run.code, run.out) == (9, "")
    assert "1 error as training data: line 6: " in run.err
    assert f"phi data check '{bad}'" in run.err
