"""How probable a model finds an answer that is expected of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from phicli.engine.logprobs import LEAST

_DIGEST_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class Expected:
    """The probability of an expected answer after its conversation.

    ``tokens`` are those of the answer, the token that ends it included: the same that training learns.
    ``log_probability`` is the sum of the natural logarithms of their probabilities. ``digest`` is a hash of their ids:
    perplexities can be compared only where the tokens are the same ones. Where the probability could not be found out,
    ``error`` says why, and the numbers are 0.
    """

    tokens: int
    log_probability: float
    digest: str
    error: str = ""

    @classmethod
    def of(cls, ids: Sequence[int], log_probabilities: Sequence[float]) -> Self:
        """That of an answer with these tokens."""
        digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
        return cls(len(ids), min(math.fsum(log_probabilities), 0.0), digest[:_DIGEST_CHARACTERS])

    @classmethod
    def none(cls, error: str) -> Self:
        """What stands in the place of a probability that is not known."""
        return cls(0, 0.0, "", error)

    @property
    def failed(self) -> bool:
        """The probability is not known."""
        return not self.tokens

    @property
    def perplexity(self) -> float | None:
        """e to the mean negative log-probability of its tokens; None where that is not known."""
        return None if self.failed else math.exp(-self.log_probability / self.tokens)

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "expected_tokens": self.tokens, "expected_log_probability": self.log_probability,
            "expected_digest": self.digest, "expected_error": self.error, "perplexity": self.perplexity,
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        try:
            tokens, probability = int(data["expected_tokens"]), float(data["expected_log_probability"])
            digest, problem = data["expected_digest"], data["expected_error"]
            least = LEAST * tokens
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"a saved probability: {error}") from error
        if tokens < 0 or not least <= probability <= 0 or not isinstance(digest, str) or not isinstance(problem, str):
            raise ValueError("a saved probability has wrong fields")
        return cls(tokens, probability, digest, problem)
