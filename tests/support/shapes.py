"""Dimensions of models that only tests write."""

from __future__ import annotations

from typing import Final

from phicli.gguf_file.synthetic import SyntheticShape

PHI_4: Final = SyntheticShape(
    "Phi 4 shape, random weights", 40, 5120, 17_920, 40, 10, 128, 128, 100_352, False, 16_384, None, 250_000.0
)
