"""Quantizations of one model read the same text, the largest file first; the others are compared with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from phicli.bench.launch import BenchEngine, Launch, start
from phicli.bench.quality.estimates import estimate_of_mean, exponential
from phicli.bench.quality.scoring import TOP, USUAL, Extent, Reading, ScoringEngine, divergence, first_choice, read
from phicli.bench.quality.text import TEXT, passage
from phicli.bench.quality.types import Comparison, Quality
from phicli.catalog.display_name import name_of
from phicli.engine.settings import EngineSettings
from phicli.errors import EngineError, UsageError
from phicli.fit.memory import padded_context
from phicli.records.run import Subject
from phicli.records.statistics import wilson_interval

Progress = Callable[[Subject, int], None]
"""Told which file is read and how many of its tokens are done: 0 before it is loaded."""


def measure_quality(
    subjects: Sequence[Subject],
    settings: EngineSettings,
    *,
    extent: Extent = USUAL,
    llama_server: Path | None = None,
    launch: Launch = start,
    progress: Progress | None = None,
) -> Iterator[Quality]:
    """The quality of each of ``subjects``, which are quantizations of one model: the largest file first.

    One engine runs at a time. What was found is given out at once, so that an interruption loses nothing of it.

    Args:
        subjects: the files; the largest one is what the others are compared with.
        settings: how the engine is set, for all of them.
        extent: how much of the text is read.
        llama_server: the binary for subjects of that engine.
        launch: starts engines; tests give their own.
        progress: see :data:`Progress`.

    Raises:
        UsageError: two files cut the text into different tokens, so they are no quantizations of one model.
        EngineError: an engine failed, or reports no probabilities; the message says of which file.
    """
    text = passage()
    context = padded_context(extent.total + 1)
    reference: tuple[Subject, Reading] | None = None
    for subject in sorted(subjects, key=lambda one: one.size_bytes, reverse=True):
        _tell(progress, subject, 0)
        try:
            with launch(subject, settings, context, llama_server=llama_server) as engine:
                scoring = _scoring(engine)
                if reference is not None:
                    _check_tokens(reference, subject, scoring.document(text)[: extent.total])
                reading = read(scoring, text, extent, on_token=_on_token(progress, subject))
                ran = replace(subject, build=scoring.build)
        except EngineError as error:
            raise EngineError(f"{name_of(subject)}: {error.message}", error.hint, data=error.data) from error
        comparison = compared(*reference, reading) if reference is not None else None
        reference = reference or (ran, reading)
        perplexity = exponential(estimate_of_mean(reading.losses))
        yield Quality(ran, settings, TEXT, extent.tokens, extent.context_tokens, perplexity, comparison)


def compared(subject: Subject, reference: Reading, other: Reading) -> Comparison:
    """``other`` beside ``reference``, which is that of ``subject``; both are of the same tokens, at least one."""
    pairs = list(zip(reference.steps, other.steps, strict=True))
    same = sum(first_choice(one) == first_choice(two) for one, two in pairs)
    agreement = wilson_interval(same, len(pairs))
    assert agreement is not None  # noqa: S101 (there are tokens)
    worse = [mine - theirs for mine, theirs in zip(other.losses, reference.losses, strict=True)]
    return Comparison(
        reference=subject,
        perplexity_ratio=exponential(estimate_of_mean(worse)),
        top1_agreement=agreement,
        kl_divergence=estimate_of_mean([divergence(one, two) for one, two in pairs]),
        top=TOP,
    )


def _scoring(engine: BenchEngine) -> ScoringEngine:
    if not isinstance(engine, ScoringEngine):
        raise EngineError(
            "this engine does not report token probabilities", "skip the comparison of answers: --no-quality"
        )
    return engine


def _check_tokens(reference: tuple[Subject, Reading], subject: Subject, ids: tuple[int, ...]) -> None:
    if ids != reference[1].ids:
        message = f"{name_of(reference[0])} and {name_of(subject)} split the same text into different tokens"
        raise UsageError(
            f"{message}: they are not quantizations of one model", "compare only their speed: --no-quality"
        )


def _on_token(progress: Progress | None, subject: Subject) -> Callable[[int], None]:
    return lambda done: _tell(progress, subject, done)


def _tell(progress: Progress | None, subject: Subject, done: int) -> None:
    if progress is not None:
        progress(subject, done)
