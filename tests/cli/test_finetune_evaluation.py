"""What follows a training: the held-out questions before and after, with the real engine and an adapter of PEFT."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.adapters.adding import Added, add
from phicli.bench.evaluation.evaluate import EvaluationFindings
from phicli.commands.finetune_evaluation import Evaluating, check_eval_model, evaluate_adapter, held_out
from phicli.errors import DoesNotFitError, NotFoundError, UserInterruptError, WrongBaseError
from phicli.finetune.base_folder import BaseFolder, Shape
from phicli.finetune.run_folder import RunFolder
from phicli.ui.terminal import Terminal
from tests.support.lora import write_peft

TINY = Shape(
    vocabulary=2048, hidden=128, feed_forward=384, layers=4, heads=4, kv_heads=2, head_size=32, context=1024,
    original_context=256, tied=True,
)  # fmt: skip


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Added:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return add(write_peft(tmp_path / "keys"))


@pytest.fixture
def wish(tmp_path: Path) -> Evaluating:
    questions = tmp_path / "validation.jsonl"
    capitals = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid"}
    questions.write_text("".join(
        json.dumps({"messages": [
            {"role": "user", "content": f"What is the capital of {land}?"},
            {"role": "assistant", "content": f"The capital of {land} is {city}."},
        ]}) + "\n" for land, city in capitals.items()
    ))  # fmt: skip
    return Evaluating(
        wanted=True, model=None, base="tiny-phi", questions=questions, folder=tmp_path, threads=1, quiet=False
    )


def said(terminal: Terminal) -> str:
    assert isinstance(terminal.stderr, io.StringIO)
    return " ".join(terminal.stderr.getvalue().split())


def shown(terminal: Terminal) -> str:
    assert isinstance(terminal.stdout, io.StringIO)
    return terminal.stdout.getvalue()


@pytest.mark.process
def test_before_and_after(terminal: Terminal, added: Added, wish: Evaluating) -> None:
    evaluated = evaluate_adapter(terminal, added, wish)
    assert evaluated.data is not None
    before, after = evaluated.data["evaluations"]
    assert (before["right"], before["asked"], after["asked"]) == (3, 3, 3)
    assert [one["name"] for one in after["adapters"]] == ["keys"]
    assert before["perplexity"]["estimate"] < 1.01
    assert before["settings"]["threads"] == 1
    assert len(evaluated.data["comparisons"]) == 1
    assert "3 of 3" in shown(terminal)
    assert "at most 100 answers of" in said(terminal)
    saved = json.loads((wish.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert (saved["model"], saved["evaluations"][0]["run_id"]) == ("tiny-phi", before["run_id"])
    quiet = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    again = evaluate_adapter(quiet, added, replace(wish, quiet=True, model="tiny-phi"))
    assert again.to_data()["evaluation"]["evaluations"][0]["right"] == 3
    assert (shown(quiet), said(quiet)) == ("", "")
    again = evaluate_adapter(quiet, added, replace(wish, quiet=True, folder=wish.folder / "gone"))
    assert again.data is not None, "what was found is printed, even where it cannot be saved"
    assert "evaluation.json cannot be written: the folder does not exist" in said(quiet)


def test_without_questions_or_model_it_says_what_to_do_later(
    terminal: Terminal, added: Added, wish: Evaluating
) -> None:
    assert evaluate_adapter(terminal, added, replace(wish, wanted=False)).data is None
    assert said(terminal) == ""
    evaluated = evaluate_adapter(terminal, added, replace(wish, questions=None))
    assert evaluated.why_not == "there is no validation data; --split 0.1 makes some"
    evaluated = evaluate_adapter(terminal, added, replace(wish, base="Phi-4-mini-instruct"))
    assert evaluated.later == (
        "phi pull phi-4-mini:q8_0",
        f"phi eval phi-4-mini:q8_0 phi-4-mini:q8_0+keys --set {wish.questions} --limit 100",
    )
    assert "not evaluated: this machine has no GGUF file of Phi-4-mini-instruct" in said(terminal)
    assert evaluate_adapter(terminal, added, replace(wish, base="mine")).later[0].startswith("phi eval MODEL.gguf ")


def test_what_goes_wrong_is_no_error_of_the_training(terminal: Terminal, added: Added, wish: Evaluating) -> None:
    assert wish.questions is not None
    wish.questions.write_text('{"messages": []}\n')
    evaluated = evaluate_adapter(terminal, added, wish)
    assert evaluated.data is None
    assert "the list of messages is empty" in evaluated.why_not
    assert evaluated.later[0].startswith("phi eval tiny-phi tiny-phi+keys --set ")
    assert "not evaluated" in said(terminal)


def test_the_model_that_is_named_is_checked_before_the_training(tmp_path: Path, added: Added) -> None:
    base = BaseFolder(tmp_path, "tiny-phi", TINY, "phi-4-mini", reasoning=False, tokenizer={})
    check_eval_model("tiny-phi", base)
    with pytest.raises(WrongBaseError, match="4 instead of 32"):
        check_eval_model("tiny-phi", replace(base, shape=replace(TINY, layers=32)))
    with pytest.raises(NotFoundError):
        check_eval_model("tiny-fi", base)


def test_ctrl_c_before_the_first_question_says_that_the_adapter_is_there(
    terminal: Terminal, added: Added, wish: Evaluating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> EvaluationFindings:
        raise KeyboardInterrupt

    monkeypatch.setattr("phicli.bench.evaluation.evaluate.evaluate_models", interrupted)
    with pytest.raises(UserInterruptError) as raised:
        evaluate_adapter(terminal, added, wish)
    assert raised.value.hint == "the adapter keys is ready; the same command asks the other questions"


def test_which_questions_are_held_out(tmp_path: Path) -> None:
    assert held_out("x.jsonl", None, RunFolder(tmp_path)) == Path("x.jsonl")
    assert held_out(None, 0.1, RunFolder(tmp_path)) == tmp_path / "validation.jsonl"
    assert held_out(None, None, RunFolder(tmp_path)) is None


def test_the_first_model_that_fits_into_memory_is_asked(
    terminal: Terminal, added: Added, wish: Evaluating, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def evaluate(models: tuple[str, str], options: object, watch: object) -> EvaluationFindings:
        asked.append(models[0])
        if models[0] != "small":
            raise DoesNotFitError("too large", "")
        return EvaluationFindings((), (), UserInterruptError("interrupted: 1 of 3 questions were asked"))

    monkeypatch.setattr("phicli.bench.evaluation.evaluate.evaluate_models", evaluate)
    monkeypatch.setattr("phicli.plan.adapted.models_of_base", lambda *_: ("large", "small", "smallest"))
    with pytest.raises(UserInterruptError) as raised:
        evaluate_adapter(terminal, added, wish)
    assert asked == ["large", "small"]
    assert "warning: large: too large" in said(terminal)
    assert (raised.value.hint, dict(raised.value.data or {})["adapter"]) == (
        "the adapter keys is ready; the same command asks the other questions", "keys",
    )  # fmt: skip


def test_ctrl_c_before_the_first_question_says_that_the_adapter_is_ready(
    terminal: Terminal, added: Added, wish: Evaluating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("phicli.bench.evaluation.evaluate.evaluate_models", interrupted)
    with pytest.raises(UserInterruptError, match="interrupted") as raised:
        evaluate_adapter(terminal, added, wish)
    assert raised.value.hint.startswith("the adapter keys is ready")
