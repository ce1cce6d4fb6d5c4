"""The bandwidth that a maker promises, by the name of the GPU."""

from __future__ import annotations

import pytest

from phicli.hardware.gpu_bandwidth import maker_bandwidth


@pytest.mark.parametrize(
    ("name", "gb_per_s"),
    [
        ("NVIDIA GeForce RTX 4070", 504),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", 672),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", 256),
        ("AMD Radeon RX 7900 XTX (RADV NAVI31)", 960),
        ("AMD Radeon(TM) RX 7900 XT", 800),
        ("Apple M2", 100),
        ("Apple M2 Max", 400),
        ("NVIDIA L40S", 864),
    ],
)
def test_the_longest_name_counts(name: str, gb_per_s: int) -> None:
    assert maker_bandwidth(name) == gb_per_s * 1e9


@pytest.mark.parametrize(
    "name", ["", "GPU", "NVIDIA GeForce RTX 2070 with Max-Q Design", "AMD Radeon 780M", "Apple M9", "NVIDIA RTX 40700"]
)
def test_a_name_that_the_table_lacks(name: str) -> None:
    assert maker_bandwidth(name) is None
