"""Which kind of GPU a name says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.fit import gpu_kinds as kinds
from phicli.fit.gpu_kinds import GpuKind, kind_of
from tests.support.speeds import GPU


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Apple M1", kinds.APPLE),
        ("Apple M4 Max", kinds.APPLE),
        ("Apple graphics", kinds.APPLE),
        ("Apple M5", kinds.APPLE_M5),
        ("Apple M6 Pro", kinds.APPLE_M5),
        ("NVIDIA GeForce RTX 5060 Ti", kinds.ADA),
        ("NVIDIA RTX 4000 Ada Generation", kinds.ADA),
        ("NVIDIA L4", kinds.ADA),
        ("NVIDIA H100 80GB HBM3", kinds.ADA),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", kinds.AMPERE),
        ("NVIDIA RTX A4000", kinds.AMPERE),
        ("NVIDIA A10G", kinds.AMPERE),
        ("Tesla T4", kinds.NVIDIA),
        ("NVIDIA GeForce RTX 2070 with Max-Q Design", kinds.NVIDIA),
        ("AMD Radeon RX 7900 XTX (RADV NAVI31)", kinds.RDNA3),
        ("AMD Radeon(TM) 780M", kinds.RDNA3),
        ("Radeon 8060S Graphics (RADV GFX1151)", kinds.RDNA3),
        ("AMD Radeon RX 6800 XT", kinds.AMD),
        ("AMD A10-7850K Radeon R7", kinds.AMD),
        ("Intel(R) Arc(TM) A770 Graphics", kinds.OTHER),
        ("simulated GPU", kinds.OTHER),
        ("", kinds.OTHER),
    ],
)
def test_the_kind_that_a_name_says(name: str, kind: GpuKind) -> None:
    assert kind_of(replace(GPU, name=name)) is kind
