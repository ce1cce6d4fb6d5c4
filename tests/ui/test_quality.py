"""The quality of quantisations as a table and in sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.bench.quality.estimates import Estimate
from phicli.bench.quality.types import Comparison, Quality
from phicli.engine.settings import EngineSettings
from phicli.records.statistics import Interval
from phicli.ui.bench.figures import Signs
from phicli.ui.bench.quality import quality_lines, quality_sentences, with_error
from tests.support.runs import subject

LARGE = subject(quant="Q8_0", size_bytes=4_084_611_104)
SMALL = subject(quant="Q4_K_M")
REFERENCE = Quality(
    LARGE, EngineSettings(2), "Persuasion, chapter 11", 256, 64, Estimate(12.34, 1.42, 9.8, 15.5), comparison=None
)
COMPARED = replace(
    REFERENCE,
    subject=SMALL,
    perplexity=Estimate(12.71, 1.48, 10.0, 16.1),
    comparison=Comparison(
        LARGE,
        perplexity_ratio=Estimate(1.0297, 0.0061, 1.018, 1.042),
        top1_agreement=Interval(233 / 256, 0.869, 0.939, 0.95, "Wilson's score"),
        kl_divergence=Estimate(0.0213, 0.0031, 0.015, 0.0276),
        top=32,
    ),
)


def test_the_table() -> None:
    assert quality_lines([REFERENCE, COMPARED]) == [
        "quality on 256 tokens of Persuasion, chapter 11 (± standard error)",
        "MODEL                  SIZE  PERPLEXITY            RATIO          SAME TOKEN               KL",
        "phi-4-mini:q8_0    3.80 GiB  12.3 ± 1.4                -                   -                -",
        "phi-4-mini:q4_k_m  2.32 GiB  12.7 ± 1.5  1.0297 ± 0.0061  91.0% (87% to 94%)  0.0213 ± 0.0031",
        "ratio, same likeliest token (95 %) and KL divergence (nats, top 32): against phi-4-mini:q8_0",
    ]


def test_signs_that_the_stream_cannot_show_are_spelled() -> None:
    lines = quality_lines([REFERENCE, COMPARED], Signs("+-", "|", fine=False))
    assert all(line.isascii() for line in lines)
    assert "12.3 +- 1.4" in lines[2]


def test_each_model_has_a_table_of_its_own() -> None:
    other = replace(REFERENCE, subject=subject("phi-4", "Q8_0"))
    lines = quality_lines([REFERENCE, COMPARED, other])
    assert sum(line.startswith("quality on") for line in lines) == 2
    assert lines[-1].startswith("phi-4:q8_0")


def test_nothing_is_nothing() -> None:
    assert quality_lines([]) == []
    assert list(quality_sentences([])) == []


def test_sentences() -> None:
    assert list(quality_sentences([REFERENCE, COMPARED])) == [
        "phi-4-mini:q8_0 (3.80 GiB): perplexity 12.3 ± 1.4 on 256 tokens of Persuasion, chapter 11",
        "phi-4-mini:q4_k_m (2.32 GiB): perplexity 12.7 ± 1.5, 1.0297 ± 0.0061 times that of phi-4-mini:q8_0; "
        "the same likeliest token in 91.0% (87% to 94%); KL divergence 0.0213 ± 0.0031 nats",
    ]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.345, 1.42, "12.3 ± 1.4"),
        (0.02134, 0.0031, "0.0213 ± 0.0031"),
        (1234.5, 210.0, "1234 ± 210"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (3.0, None, "3.000"),
        (351234.0, 40000.0, "3.51e+05"),
        (0.00012, 0.0000001, "0.000120 ± 0.000000"),
    ],
)
def test_a_value_has_the_digits_that_its_error_leaves(value: float, error: float | None, text: str) -> None:
    assert with_error(Estimate(value, error, None, None)) == text
