"""Numbers as people read them."""

from __future__ import annotations

import pytest

from phicli.units import format_about, format_bytes, format_count, format_pace, format_tokens, listed


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (99_000, "97 KiB"),
        (1_977_632, "1.9 MiB"),
        (1 << 20, "1.0 MiB"),
        (970 << 20, "970.0 MiB"),
        (1023 << 20, "1.00 GiB"),
        (2_491_874_688, "2.32 GiB"),
        (25_345_994_592, "23.61 GiB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (0.0, "0 per minute"), (0.015, "0.9 per minute"), (0.0999, "6 per minute"), (0.1, "0.1 per second"),
        (9.94, "9.9 per second"), (9.97, "10 per second"), (31.4, "31 per second"), (12345.6, "12,346 per second"),
    ],
)  # fmt: skip
def test_a_pace(per_second: float, text: str) -> None:
    assert " per ".join(format_pace(per_second)) == text


def test_a_rough_size_says_so() -> None:
    assert format_about(9_050_000_000) == "~8.4 GiB"
    assert format_about(500_000_000) == "~477 MiB"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (900, "900"),
        (966_784, "966.8K"),
        (999_700, "1M"),
        (1_000_000, "1M"),
        (3_800_000_000, "3.8B"),
        (3_836_021_856, "3.8B"),
        (14_700_000_000, "14.7B"),
        (14_000_000_000, "14B"),
    ],
)
def test_parameters(count: int, text: str) -> None:
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(256, "256"), (1000, "1,000"), (1024, "1K"), (16_384, "16K"), (131_072, "128K"), (1 << 20, "1M"), (5000, "5,000")],
)
def test_tokens(count: int, text: str) -> None:
    assert format_tokens(count) == text


def test_a_list_says_how_many_it_leaves_out() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
