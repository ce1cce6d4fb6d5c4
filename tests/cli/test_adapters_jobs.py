"""Adapters in batches and evaluations: their answers, and what is continued afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.lora import tensors, write_gguf
from tests.support.running import Phi

PARIS = "The capital of France is Paris."
LOUD = tensors(seed=3, size=1.0)


@pytest.fixture
def loud(tmp_path: Path) -> str:
    return str(write_gguf(tmp_path / "loud.gguf", LOUD))


def test_a_batch(phi: Phi, tmp_path: Path, loud: str) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("What is the capital of France?\n")
    command = ("batch", str(source), "tiny-phi", "--out", str(out), "--max-tokens", "12", "--temperature", "0")

    def answer(*words: str) -> str:
        run = phi(*command, *words)
        assert run.code == 0, run.err
        return str(json.loads(out.read_text())["text"])

    with_it = answer("--adapter", loud)
    assert with_it != PARIS
    other = phi(*command)
    assert (other.code, "another set of adapters" in " ".join(other.err.split())) == (2, True)
    assert answer("--adapter", loud) == with_it
    assert answer("--restart", "--adapter", f"{loud}:0") == PARIS


def test_an_evaluation(phi: Phi, tmp_path: Path, loud: str) -> None:
    questions = tmp_path / "set.jsonl"
    one = {"id": "f", "question": "What is the capital of France?", "answer": PARIS, "compare": "exact"}
    questions.write_text(json.dumps(one) + "\n")
    command = ("eval", "tiny-phi", "--set", str(questions), "--max-tokens", "12", "--json")

    def right(*words: str) -> int:
        run = phi(*command, *words)
        assert run.code == 0, run.err
        (found,) = run.json["data"]["evaluations"]
        assert [row["path"] for row in found["adapters"]] == ([loud] if words else [])
        shown = "".join(f"+loud.gguf{word.removeprefix(loud)}" for word in words[1:])
        assert f"tiny-phi:f16{shown} " in phi(*command[:-1], *words).out
        return int(found["right"])

    assert (right(), right("--adapter", loud), right("--adapter", f"{loud}:0"), right()) == (1, 0, 1, 1)
    Path(loud).write_bytes(write_gguf(tmp_path / "quiet.gguf", tensors(size=1e-6)).read_bytes())
    assert right("--adapter", loud) == 1, "another file under the same name is asked again"


def test_before_and_after_in_one_table(phi: Phi, tmp_path: Path, loud: str) -> None:
    questions = tmp_path / "set.jsonl"
    one = {"question": "What is the capital of France?", "answer": PARIS, "compare": "exact"}
    questions.write_text("".join(json.dumps(one | {"id": f"q{number}"}) + "\n" for number in range(3)))
    phi("adapters", "add", loud, "--as", "ten-facts")
    command = ("eval", "tiny-phi", "tiny-phi+ten-facts", "tiny-phi+ten-facts:0", "--set", str(questions), "-n", "12")
    run = phi(*command)
    assert run.code == 0, run.err
    rows = [line.split() for line in run.out.splitlines() if line.startswith("tiny-phi:f16")]
    assert [(row[0], row[1]) for row in rows[:3]] == [
        ("tiny-phi:f16", "3"), ("tiny-phi:f16+ten-facts", "0"), ("tiny-phi:f16+ten-facts:0", "3")
    ]  # fmt: skip
    again = phi(*command, "--json")
    assert again.err.count("3 of 3 replies were saved earlier") == 3
    assert "tiny-phi:f16+ten-facts: 3 of 3 replies" in again.err
    pairs = [(pair["first"], pair["second"]) for pair in again.json["data"]["comparisons"]]
    assert pairs[0] == ("tiny-phi:f16", "tiny-phi:f16+ten-facts")
    listed = [row.split()[3] for row in phi("runs", "list").out.splitlines()[1:]]
    assert sorted(listed) == ["tiny-phi:f16", "tiny-phi:f16+ten-facts", "tiny-phi:f16+ten-facts:0"]
    unknown = phi("eval", "tiny-phi", "tiny-phi+tne-facts", "--set", str(questions))
    assert (unknown.code, "did you mean ten-facts?" in unknown.err) == (3, True)


def test_a_benchmark(phi: Phi, tmp_path: Path, loud: str) -> None:
    phi("adapters", "add", loud, "--as", "ten-facts")
    lengths = ("-p", "8", "-n", "4", "-r", "2")
    plain = phi("bench", "tiny-phi", *lengths, "--json")
    (tmp_path / "plain.json").write_text(plain.out)
    done = phi("bench", "tiny-phi", "tiny-phi+ten-facts", "--adapter", f"{loud}:0.5", *lengths)
    assert (done.code, "the adapter ten-facts is given twice" in done.err) == (2, True)
    done = phi("bench", "tiny-phi", "tiny-phi+ten-facts:0.5", *lengths, "--json")
    runs = done.json["data"]["runs"]
    assert [[(one["name"], one["path"], one["scale"]) for one in run["adapters"]] for run in runs] == [
        [], [("ten-facts", loud, 0.5)]
    ]  # fmt: skip
    assert {ratio["ours"] for ratio in done.json["data"]["ratios"]} == {"tiny-phi:f16+ten-facts:0.5"}
    other = phi("bench", "tiny-phi+ten-facts", *lengths, "--baseline", str(tmp_path / "plain.json"))
    assert (other.code, "adapters: none, now ten-facts" in other.err) == (2, True)
    never = phi("bench", "tiny-phi+ten-facts", *lengths, "--baseline", "last")
    assert (never.code, "no earlier run of tiny-phi:f16+ten-facts with" in never.err) == (3, True)
    assert phi("bench", "tiny-phi", "--adapter", f"{loud}:0.5", *lengths, "--baseline", "last").code == 0
    assert phi("bench", "tiny-phi", *lengths, "--baseline", "last").code == 0
    listed = phi("runs", "list", "--model", "tiny-phi+ten-facts:0.5", "--json").json["data"]["runs"]
    assert [row["adapters"][0]["scale"] for row in listed] == [0.5, 0.5]
    assert phi("runs", "list", "--model", "tiny-phi:f16+other", "--json").json["data"]["runs"] == []


def test_nothing_is_tuned_for_an_adapter(phi: Phi, loud: str) -> None:
    for words in ((), ("--reset",)):
        done = phi("autotune", f"tiny-phi+{loud}", *words)
        assert (done.code, "not for adapters: tiny-phi:f16+loud.gguf" in done.err) == (2, True)
        assert "tune the model: phi autotune tiny-phi:f16" in done.err


def test_names_are_completed(phi: Phi, loud: str) -> None:
    phi("adapters", "add", loud, "--as", "ten-facts")
    done = phi("bench", _PHI_COMPLETE="complete_bash", COMP_WORDS="phi bench tiny-phi+t", COMP_CWORD="2")
    assert done.out.split() == ["tiny-phi+ten-facts"]


def test_an_adapter_of_another_model(phi: Phi, tmp_path: Path) -> None:
    wide = str(write_gguf(tmp_path / "wide.gguf", tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)})))
    (tmp_path / "in.txt").write_text("hi\n")
    for words in (("batch", str(tmp_path / "in.txt"), "tiny-phi", "--out", str(tmp_path / "o.jsonl")),
                  ("eval", "tiny-phi", "--set", "arithmetic"), ("bench", "tiny-phi", "--quick")):  # fmt: skip
        run = phi(*words, "--adapter", wide)
        assert (run.code, "8192 x 3072 in the adapter" in run.err) == (2, True), run.err
