"""Texts to generate: the questions, their prompts, and which answers are equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.launch import start
from phicli.bench.measuring.bench_plan import BenchPlan
from phicli.bench.measuring.collect import collect
from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.measure import DecodeTime, Stopwatch
from phicli.bench.measuring.samples import text_sample, with_equal_answers
from phicli.bench.measuring.texts import prompt_of, question
from phicli.bench.options import BenchOptions
from phicli.bench.planning import plan_for
from phicli.bench.quality.text import passage
from phicli.engine import starting
from phicli.engine.abilities import Ability
from phicli.engine.settings import DRAFTS, EngineSettings
from phicli.engine.starting import ENGINES
from phicli.errors import EngineError, UsageError
from phicli.gguf_file.header import read_header
from phicli.records.run import Run, Sample, Subject, Workload
from phicli.records.workload_texts import COPY, MOST_TEXT_TOKENS, NEW, TEXTS, text_span
from tests.fakes.bench_engines import LabEngine, Laboratory, around, load
from tests.support.files import TINY_PHI
from tests.support.gguf_kinds import MODEL_TENSORS, write_kind
from tests.support.runs import run

TINY = Subject("tiny-phi", "F16", "tiny-phi", TINY_PHI, TINY_PHI.stat().st_size)


def test_each_repetition_has_another_question() -> None:
    for text in TEXTS:
        assert len({question(text, 64, turn) for turn in range(48)}) == 48


def test_the_text_to_copy_has_a_word_for_each_token_and_is_long_enough() -> None:
    for tokens in (1, 48, MOST_TEXT_TOKENS):
        asked, _, copied = question(COPY, tokens, 3).partition("\n\n")
        assert "write Doctor instead of Captain" in asked
        assert len(copied.split()) == tokens
    assert len(passage().split()) >= MOST_TEXT_TOKENS, "else a text would repeat itself"


def special(literal: str) -> int:
    vocabulary = read_header(TINY_PHI).vocabulary
    assert vocabulary is not None
    return next(one for one, token in vocabulary.special_tokens.items() if token.literal == literal)


def test_a_question_is_asked_in_the_prompt_format_of_the_file() -> None:
    prompt = prompt_of("abc", LabEngine(Laboratory(), "one", 3, 2048), TINY)
    assert prompt == (special("<|user|>"), *map(ord, "abc"), special("<|end|>"), special("<|assistant|>"))


def test_a_file_whose_template_cannot_be_used_is_asked_in_plain_words(tmp_path: Path) -> None:
    """The engine of the test renders none."""
    said = {"tokenizer.chat_template": "a template"}
    path = write_kind(tmp_path / "other.gguf", "qwen2", "model", MODEL_TENSORS, said)
    engine = LabEngine(Laboratory(), "one", 3, 2048)
    prompt = prompt_of("abc", engine, replace(TINY, path=path, variant_id=None))
    assert "abc" in "".join(map(chr, prompt))


def collected(*settings: EngineSettings, repeat: int = 2) -> tuple[tuple[Run, ...], Laboratory]:
    laboratory = Laboratory()
    loads = [replace(load(), subject=TINY, settings=one, context_tokens=2048) for one in settings]
    plan = BenchPlan(tuple(loads), tuple(Workload(0, 16, 0, text) for text in TEXTS), repeat)
    outcome = collect(plan, around(), launch=laboratory.launch, open_energy=lambda gpu: EnergyMeter())
    assert outcome.failure is None
    return outcome.runs, laboratory


def test_texts_are_generated_in_turn_after_prompts_that_are_not_timed() -> None:
    runs, laboratory = collected(EngineSettings(2), EngineSettings(2, speculation="ngram-mod"))
    assert [(one.settings.speculation, one.workload.text) for one in runs] == [
        ("none", COPY), ("none", NEW), ("ngram-mod", COPY), ("ngram-mod", NEW)
    ]  # fmt: skip
    asked = [one.generated_tokens for one in laboratory.asked[8:]]  # without the warm-up of two engines
    assert asked == [1, 17] * 8
    assert all(one.complete and one.decode_tps for one in runs)
    assert [one.extra.get("compared_answers") for one in runs] == [None, None, 2, 2]


def made(text: str, drafted: int = 0, accepted: int = 0) -> DecodeTime:
    return DecodeTime(5.0, None, 0.01, text, drafted, accepted)


def test_a_sample_knows_its_text_and_what_was_drafted() -> None:
    one, other = text_sample(made("a")), text_sample(made("b", 12, 5))
    assert one.answer_sha256 != other.answer_sha256
    assert one.answer_sha256 == text_sample(made("a", 3, 1)).answer_sha256
    assert (one.draft_tokens, one.accepted_tokens) == (None, None)
    assert (other.draft_tokens, other.accepted_tokens) == (12, 5)
    assert run(samples=(one, other, text_sample(made("c", 8, 5)))).accepted_share == 0.5
    assert run(samples=(one,)).accepted_share is None


def answered(*texts: str, speculation: str = "none", **more: object) -> Run:
    samples = tuple(text_sample(made(one)) for one in texts)
    return run(speculation=speculation, samples=samples, workload=Workload(0, 8, 0, COPY), **more)


def test_answers_are_compared_with_those_without_speculation() -> None:
    plain, drafted = answered("a", "b", "c"), answered("a", "x", "c", speculation="ngram-mod")
    extra = with_equal_answers(drafted, [plain, drafted]).extra
    assert (extra["equal_answers"], extra["compared_answers"]) == (2, 3)
    assert with_equal_answers(plain, [plain, drafted]) == plain
    short = with_equal_answers(drafted, [answered("a"), drafted]).extra
    assert (short["equal_answers"], short["compared_answers"]) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        answered("a", threads=1),
        answered("a", speculation="ngram-simple"),
        replace(answered("a"), workload=Workload(0, 8, 0, NEW)),
        replace(answered("a"), subject=replace(run().subject, path=Path("other.gguf"))),
    ],
    ids=["settings", "speculation", "text", "file"],
)
def test_answers_of_another_load_or_text_are_not_compared(other: Run) -> None:
    drafted = answered("a", speculation="ngram-mod")
    assert "compared_answers" not in with_equal_answers(drafted, [other, drafted]).extra


def test_runs_that_generate_no_text_have_nothing_to_compare() -> None:
    drafted = run(speculation="ngram-mod", samples=(Sample(1.0, 1.0, 1.0),))
    assert with_equal_answers(drafted, [run(), drafted]) == drafted


def test_an_engine_that_cannot_draft_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = replace(ENGINES["xllamacpp"], lacks=frozenset({Ability.SPECULATION}))
    monkeypatch.setattr(starting, "ENGINES", {**ENGINES, "xllamacpp": old})
    options = BenchOptions(settings={"speculation": ("none", "ngram-mod")}, engines=("llama-server", "xllamacpp"))
    with pytest.raises(UsageError, match="xllamacpp cannot draft tokens") as caught:
        plan_for((), options, around(), print)
    assert caught.value.hint == "use an engine that can: --engine llama-server"


@pytest.mark.process
@pytest.mark.parametrize("kind", list(DRAFTS))
def test_a_real_engine_drafts(kind: str) -> None:
    with start(TINY, EngineSettings(1, speculation=kind), 1024) as engine:
        prompt = prompt_of(question(COPY, 128, 0), engine, TINY)
        assert len(prompt) + 128 <= text_span(128)
        part = engine.tokenize("The capital of France is Paris. " * 12, parse_special=False)
        found = Stopwatch(engine, EnergyMeter()).answer(part, 64)
        assert 0 <= found.accepted_tokens <= found.draft_tokens
        assert found.draft_tokens > 0
        with pytest.raises(EngineError, match="no probabilities of drafted tokens"):
            engine.score(part, part[0], likeliest=8)  # type: ignore[attr-defined]
