"""What a quantization costs: how much worse it predicts a text than the largest file of the same model."""

from phicli.bench.quality.types import Comparison, Quality

__all__ = ["Comparison", "Quality"]
