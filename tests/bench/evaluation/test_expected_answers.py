"""Expected answers of training data: their tokens and probabilities must be those that transformers computed.

The reference was written by ``python -m training.tiny_phi.expected_reference``, which uses nothing of phi.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.encode import encode
from phicli.answering.model_file import bos_id_of, special_tokens_of
from phicli.answering.own_tokenizer import own_tokenizer
from phicli.bench.evaluation import preparing
from phicli.bench.evaluation.evaluate import EvaluationFindings, evaluate_models
from phicli.bench.evaluation.expected import Expected
from phicli.bench.evaluation.items import load_items
from phicli.bench.evaluation.preparing import EvalOptions, prepare
from phicli.bench.evaluation.types import Item
from phicli.bench.measuring.surroundings import look_around
from phicli.bench.subjects import subjects
from phicli.chat_format import format_by_name
from phicli.engine.types import Adapter
from phicli.errors import UsageError
from phicli.gguf_file.header import read_header
from phicli.jobs.notices import Notices
from tests.support.files import TINY_PHI
from tests.support.lora import Adapted, tensors, write_gguf

DATA = Path(__file__).parents[2] / "data"
EXAMPLES = DATA / "tiny_phi_training.jsonl"
ANSWERS: list[dict[str, Any]] = json.loads((DATA / "tiny_phi_expected.json").read_text(encoding="utf-8"))["answers"]
TOLERANCE = 0.01
"""Of the mean log-probability of an answer: the weights of the file and of transformers are the same."""

pytestmark = pytest.mark.process


def read(items: tuple[Item, ...], adapters: tuple[Adapter, ...] = ()) -> list[Expected]:
    """The expected answers of ``items`` as tiny-phi reads them, as many at a time as there are slots."""
    (subject,) = subjects(["tiny-phi"], adapters=adapters)
    with prepare(subject, items, EvalOptions(str(EXAMPLES)), look_around()).opened(Notices(lambda _: None)) as worker:
        scoring = worker.scoring
        assert scoring is not None
        talks = [item.talk for item in items if item.talk is not None]
        with ThreadPoolExecutor(max_workers=scoring.slots) as pool:
            return list(pool.map(scoring.ask, talks))


@pytest.fixture(scope="module")
def items() -> tuple[Item, ...]:
    return load_items(str(EXAMPLES)).items


@pytest.fixture(scope="module")
def found(items: tuple[Item, ...]) -> list[Expected]:
    return read(items)


def test_the_reference_has_every_answer_that_is_trained_on(items: tuple[Item, ...]) -> None:
    lines = [item.talk.line for item in items if item.talk]
    assert lines == [answer["line"] for answer in ANSWERS]
    assert any(answer["prompt_tokens"] > 256 for answer in ANSWERS), "one must exceed the original context"


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_tokens_and_probabilities_are_those_of_transformers(found: list[Expected], number: int) -> None:
    wanted, one = ANSWERS[number], found[number]
    same = Expected.of(wanted["answer"], wanted["log_probabilities"])
    assert (one.tokens, one.digest) == (same.tokens, same.digest)
    assert one.log_probability / one.tokens == pytest.approx(same.log_probability / same.tokens, abs=TOLERANCE)


def test_an_adapter_counts_in_every_token(items: tuple[Item, ...], found: list[Expected], tmp_path: Path) -> None:
    """Compared with NumPy; the first answers are short, and the engine keeps what it has evaluated between tokens."""
    few, weights = items[:3], tensors(size=0.4)
    adapter = Adapter(write_gguf(tmp_path / "a.gguf", weights), 0.5)
    reference = Adapted().add(weights, 2.0 * 0.5)  # alpha 8 over rank 4, and the scale
    for item, one, without in zip(few, read(few, (adapter,)), found, strict=False):
        answer = next(row for row in ANSWERS if item.talk and row["line"] == item.talk.line)
        assert one.digest == without.digest
        assert one.log_probability != pytest.approx(without.log_probability, abs=0.5)
        ids = [*prompt_ids(item), *answer["answer"]]
        rows = reference.log_probabilities(ids)[len(ids) - one.tokens - 1 : -1]
        wanted = sum(float(row[token]) for row, token in zip(rows, answer["answer"], strict=True))
        assert one.log_probability / one.tokens == pytest.approx(wanted / one.tokens, abs=TOLERANCE)


def prompt_ids(item: Item) -> tuple[int, ...]:
    header = read_header(TINY_PHI)
    tokenizer = own_tokenizer(header)
    assert tokenizer is not None
    assert item.talk is not None
    segments = format_by_name("phi-4-mini", reasoning=True).render(item.talk.before)
    return encode(segments, tokenizer, special_tokens_of(header), bos_id=bos_id_of(header))


def test_beyond_the_largest_context_an_answer_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    lines = [("word " * 1500, "yes"), ("What is the capital of France?", "The capital of France is Paris.")]
    path.write_text("".join(f"{example(question, answer)}\n" for question, answer in lines))
    long, short = read(load_items(str(path)).items)
    assert (long.failed, long.tokens, "1024" in long.error) == (True, 0, True)
    assert short.perplexity == pytest.approx(1.0, abs=0.01)


def example(question: str, answer: str) -> str:
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": said})


def test_an_engine_without_probabilities_says_so(items: tuple[Item, ...]) -> None:
    (subject,) = subjects(["tiny-phi"])
    plan = prepare(subject, items, EvalOptions(str(EXAMPLES)), look_around())
    assert plan.not_scored == ""
    other = replace(plan, subject=replace(subject, engine="ctransformers"))
    assert "ctransformers does not report the probabilities" in other.not_scored


def test_tools_need_a_model_that_can_call_them(items: tuple[Item, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    (subject,) = subjects(["tiny-phi"])
    monkeypatch.setattr(preparing, "was_trained", lambda _name, _variant: False)
    with pytest.raises(UsageError, match=r"tiny-phi was not trained to call tools, but line-6\.1 declares some"):
        prepare(subject, items, EvalOptions(str(EXAMPLES)), look_around())
    prepare(subject, items[:3], EvalOptions(str(EXAMPLES)), look_around())


class Quiet:
    """Notes what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def show(self, text: str, left_s: float | None = None, *, at_most: bool = False) -> None:
        del text, left_s, at_most

    def say(self, text: str) -> None:
        self.said.append(text)

    warn = say


def test_before_and_after_in_one_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All three numbers of both, and the paired differences; the worse model is worse in all of them."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    capitals = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens"}
    path, worse = tmp_path / "set.jsonl", write_gguf(tmp_path / "worse.gguf", tensors(size=1.0))
    lines = [
        example(f"What is the capital of {land}?", f"The capital of {land} is {city}.")
        for land, city in capitals.items()
    ]
    path.write_text("\n".join(lines) + "\n")
    found = evaluate_models(["tiny-phi", f"tiny-phi+{worse}"], EvalOptions(str(path), max_tokens=20), Quiet())
    first, second = found.evaluations
    assert (first.right, first.scored, first.expected_tokens) == (4, 4, sum(one.tokens for one in expected_of(found)))
    assert first.f1 is not None
    assert (first.f1.estimate, first.f1.high, first.f1.method) == (1.0, 1.0, "Wilson's score")
    assert first.perplexity is not None
    assert first.perplexity.low is not None
    assert 1.0 <= first.perplexity.low <= first.perplexity.estimate < 1.01
    (pair,) = found.comparisons
    assert pair.f1 is not None
    assert pair.perplexity_ratio is not None
    assert second.perplexity is not None
    ratio = second.perplexity.estimate / first.perplexity.estimate
    assert pair.perplexity_ratio.estimate == pytest.approx(ratio)
    assert ratio > 1.5
    assert pair.f1.estimate < 0


def expected_of(found: EvaluationFindings) -> list[Expected]:
    return [result.expected for result in found.evaluations[0].results if result.expected is not None]
