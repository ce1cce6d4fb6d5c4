"""Quantisations compared by engines whose probabilities are known, so that every number can be worked out."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence

import pytest

from phicli.bench.quality.measure import measure_quality
from phicli.bench.quality.scoring import QUICK, USUAL, Extent, divergence, first_choice, read
from phicli.bench.quality.text import passage
from phicli.engine.logprobs import LEAST, Scored, scored
from phicli.engine.settings import EngineSettings
from phicli.errors import EngineError, UsageError
from phicli.records.run import Subject
from tests.fakes.scoring_engine import Launcher, Rule, RuledEngine
from tests.support.runs import subject

SETTINGS = EngineSettings(2)
TEXT = passage()
LETTERS = sorted(set(map(ord, TEXT)))
LARGE, SMALL = subject(quant="Q8_0", size_bytes=4000), subject(quant="Q4_0", size_bytes=2000)


def true_token(prompt: Sequence[int]) -> int:
    return ord(TEXT[len(prompt)])


def rule(share: float, *, mistaken: Sequence[int] = ()) -> Rule:
    """The true letter has ``share``, the others the rest in equal parts; at ``mistaken`` places "z" has most of it."""

    def shares(prompt: Sequence[int]) -> Mapping[int, float]:
        true = true_token(prompt)
        rest = (1 - share) / (len(LETTERS) - 1)
        found = {letter: share if letter == true else rest for letter in LETTERS}
        if len(prompt) in mistaken:
            found[true], found[ord("z")] = found[ord("z")], found[true]
        return found

    return shares


def test_perplexity_is_that_of_the_shares_of_the_true_tokens() -> None:
    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.25)})
    large, small = measure_quality([SMALL, LARGE], SETTINGS, launch=launcher)
    assert [one.subject.quant for one in (large, small)] == ["Q8_0", "Q4_0"]
    assert large.perplexity.value == pytest.approx(2)
    assert small.perplexity.value == pytest.approx(4)
    assert large.perplexity.standard_error == pytest.approx(0, abs=1e-9)
    assert large.comparison is None
    assert small.comparison is not None
    assert small.comparison.reference.quant == "Q8_0"
    assert small.comparison.perplexity_ratio.value == pytest.approx(2)
    assert small.comparison.top1_agreement.estimate == 1
    others = len(LETTERS) - 1
    expected = 0.5 * math.log(2) + 0.5 * math.log((0.5 / others) / (0.75 / others))
    assert small.comparison.kl_divergence.value == pytest.approx(expected)
    assert small.subject.build == "ruled 1"


def test_the_same_probabilities_have_no_divergence() -> None:
    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.5)})
    *_, small = measure_quality([SMALL, LARGE], SETTINGS, launch=launcher)
    assert small.comparison is not None
    assert small.comparison.kl_divergence.value == pytest.approx(0, abs=1e-12)
    assert small.comparison.perplexity_ratio.value == pytest.approx(1)


def test_agreement_counts_the_tokens_where_both_choose_the_same() -> None:
    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.5, mistaken=range(100, 132))})
    *_, small = measure_quality([SMALL, LARGE], SETTINGS, launch=launcher)
    found = small.comparison
    assert found is not None
    assert found.top1_agreement.estimate == 224 / 256
    assert found.top1_agreement.low == pytest.approx(0.8290, abs=1e-3)  # Wilson's, 224 of 256
    assert found.top1_agreement.high == pytest.approx(0.9101, abs=1e-3)
    assert found.perplexity_ratio.standard_error is not None
    assert found.perplexity_ratio.standard_error > 0


def test_every_token_is_asked_for_once_after_all_before_it() -> None:
    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.5)})
    large, _ = measure_quality([LARGE, SMALL], SETTINGS, extent=QUICK, launch=launcher)
    prompts = launcher.engines["Q8_0"].prompts
    assert [len(prompt) for prompt in prompts] == list(range(QUICK.context_tokens, QUICK.total))
    assert all(prompt == tuple(map(ord, TEXT[: len(prompt)])) for prompt in prompts)
    assert (large.tokens, large.context_tokens) == (QUICK.tokens, QUICK.context_tokens)
    assert launcher.engines["Q4_0"].context_tokens == 256
    assert (launcher.most_running, launcher.running) == (1, 0)


def test_progress_names_the_file_and_counts_its_tokens() -> None:
    told: list[tuple[str | None, int]] = []
    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.5)})
    extent = Extent(tokens=3, context_tokens=2)
    list(
        measure_quality(
            [SMALL, LARGE],
            SETTINGS,
            extent=extent,
            launch=launcher,
            progress=lambda one, done: told.append((one.quant, done)),
        )
    )
    assert told == [(quant, done) for quant in ("Q8_0", "Q4_0") for done in range(4)]


def test_other_tokens_are_refused() -> None:
    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.5)}, shifts={"Q4_0": 1})
    with pytest.raises(UsageError, match="phi-4-mini:q8_0 and phi-4-mini:q4_0 split the same text") as caught:
        list(measure_quality([SMALL, LARGE], SETTINGS, launch=launcher))
    assert "--no-quality" in caught.value.hint
    assert launcher.running == 0


def test_a_failure_says_of_which_file() -> None:
    def fails(quant: str, done: int) -> None:
        if quant == "Q4_0" and done == 7:
            raise EngineError("the engine stopped", "free some memory")

    launcher = Launcher({"Q8_0": rule(0.5), "Q4_0": rule(0.5)}, fails=fails)
    found = measure_quality([SMALL, LARGE], SETTINGS, launch=launcher)
    assert next(found).subject.quant == "Q8_0"
    with pytest.raises(EngineError, match="phi-4-mini:q4_0: the engine stopped") as caught:
        next(found)
    assert caught.value.hint == "free some memory"
    assert launcher.running == 0


def test_an_engine_that_tells_no_probabilities_is_refused() -> None:
    @contextlib.contextmanager
    def launch(subject: Subject, settings: EngineSettings, context_tokens: int, **_: object) -> Iterator[object]:
        yield object()

    with pytest.raises(EngineError, match="does not report token probabilities"):
        list(measure_quality([SMALL, LARGE], SETTINGS, launch=launch))  # type: ignore[arg-type]


def test_a_text_that_is_too_short_is_refused() -> None:
    engine = RuledEngine(rule(0.5), fails=lambda _: None)
    with pytest.raises(UsageError, match="5 tokens, but 320 are needed"):
        read(engine, TEXT[:5], USUAL)


def logs(shares: Mapping[int, float], true: int = 1) -> Scored:
    return Scored(true, math.log(shares[true]), {token: math.log(share) for token, share in shares.items()})


def test_divergence_of_two_tokens_and_the_rest() -> None:
    reference, other = logs({1: 0.5, 2: 0.3}), logs({1: 0.4, 2: 0.2, 3: 0.1})
    expected = 0.5 * math.log(0.5 / 0.4) + 0.3 * math.log(0.3 / 0.2) + 0.2 * math.log(0.2 / 0.4)
    assert divergence(reference, other) == pytest.approx(expected)


def test_divergence_takes_the_top_of_the_reference_only() -> None:
    reference, other = logs({1: 0.5, 2: 0.3, 3: 0.1}), logs({1: 0.4, 2: 0.2, 3: 0.4})
    expected = 0.5 * math.log(0.5 / 0.4) + 0.5 * math.log(0.5 / 0.6)
    assert divergence(reference, other, top=1) == pytest.approx(expected)


def test_a_token_that_the_other_does_not_tell_goes_to_the_rest() -> None:
    reference, other = logs({1: 0.6, 2: 0.3}), logs({1: 0.5, 7: 0.4})
    expected = 0.6 * math.log(0.6 / 0.5) + 0.4 * math.log(0.4 / 0.5)
    assert divergence(reference, other) == pytest.approx(expected)


def test_putting_tokens_together_makes_a_divergence_no_larger() -> None:
    reference = logs({token: 2.0**-token for token in range(1, 20)})
    other = logs({token: 2.0 ** -(20 - token) for token in range(1, 20)})
    found = [divergence(reference, other, top=top) for top in range(1, 19)]
    assert found == sorted(found)


def test_a_rest_of_rounding_errors_is_no_divergence() -> None:
    almost = logs({1: 0.7, 2: 0.3000002})
    assert divergence(almost, logs({1: 0.7, 2: 0.3})) < 1e-5


def test_equally_likely_tokens_are_chosen_by_id() -> None:
    assert first_choice(Scored(1, -1.0, {9: -0.5, 4: -0.5, 1: -1.0})) == 4


def answer(token: int, logprob: object, top: Mapping[int, object]) -> dict[str, object]:
    likeliest = [{"id": one, "logprob": value} for one, value in top.items()]
    return {"completion_probabilities": [{"id": token, "logprob": logprob, "top_logprobs": likeliest}]}


def test_what_the_server_says_is_read() -> None:
    assert scored(answer(7, -3.5, {2: -0.1, 7: -3.5}), 7) == Scored(7, -3.5, {2: -0.1, 7: -3.5})


def test_a_probability_of_zero_has_a_logarithm() -> None:
    assert scored(answer(7, -3.4028234663852886e38, {2: 0.0}), 7).log_probability == LEAST


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"completion_probabilities": []},
        answer(7, None, {2: -0.1}),
        answer(7, math.nan, {2: -0.1}),
        answer(7, -1.0, {2: None}),
        answer(8, -1.0, {2: -0.1}),
    ],
    ids=["nothing", "no tokens", "no number", "not a number", "no number beside it", "another token"],
)
def test_an_answer_without_sense_is_an_engine_error(reply: dict[str, object]) -> None:
    with pytest.raises(EngineError, match="7"):
        scored(reply, 7)


def test_the_text_is_the_one_that_results_are_of() -> None:
    assert TEXT.isascii()
    assert hashlib.sha256(TEXT.encode()).hexdigest()[:16] == "057e802b5d8cdb03"
    assert len(TEXT.split()) > USUAL.total  # a word has at least one token in any vocabulary
