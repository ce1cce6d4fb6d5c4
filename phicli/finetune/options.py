"""How a model is fine-tuned, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

DTYPE_BYTES: Final = {"float32": 4, "bfloat16": 2}
"""Types in which the weights of the model can be held, and the bytes of one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the adapter that comes out, with the defaults that Microsoft's documents about Phi give.

    Attributes:
        rank: of the two matrices for each linear layer.
        alpha: the adapter counts ``alpha / rank`` times.
        dropout: share of the inputs of the adapter that is left out in training.
        learning_rate: the largest one, after the warm-up.
        epochs: how often each example is seen.
        warmup: share of the steps in which the rate rises; afterwards it falls in a line to 0.
        batch_size: examples for each step of the optimizer.
        micro_batch: how many of them are computed at once: this decides the memory, not the result.
        patience: validations without a better loss after which the training stops; 0 never stops it.
        evaluations: how often in all the loss on the validation data is computed.
        dtype: the type of the model's weights; the adapter is always float32.
        checkpointing: compute activations again rather than keep them: less memory, a third more time.
        seed: of the first weights, the order of the examples and the dropout.
        device: where it is computed: ``cpu`` or ``cuda``.
        quantized: the weights of the linear layers are held in 4 bits (QLoRA), and ``dtype`` is what is computed in.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    learning_rate: float = 5e-6
    epochs: float = 1.0
    warmup: float = 0.2
    batch_size: int = 8
    micro_batch: int = 1
    patience: int = 3
    evaluations: int = 10
    dtype: str = "float32"
    checkpointing: bool = False
    seed: int = 0
    device: str = "cpu"
    quantized: bool = False

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to be continued: all but how it is computed."""
        left_out = ("micro_batch", "checkpointing", "device")
        return {key: value for key, value in asdict(self).items() if key not in left_out}
