"""What is found out about a quantization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phicli.bench.quality.estimates import Estimate
from phicli.engine.settings import EngineSettings
from phicli.records.run import Subject
from phicli.records.statistics import Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quantization beside ``reference``, the largest file of the same model, on the same tokens.

    ``perplexity_ratio`` is this perplexity over the reference's; its error is that of the differences token by token,
    much smaller than those of the two. ``top1_agreement`` is the share of tokens where both would have chosen the same
    one, with Wilson's 95 % interval, which takes the tokens as independent. ``kl_divergence`` is the mean of
    :func:`phicli.bench.quality.scoring.divergence` over the tokens, in nats, for the reference's ``top`` tokens.
    """

    reference: Subject
    perplexity_ratio: Estimate
    top1_agreement: Interval
    kl_divergence: Estimate
    top: int


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the file of ``subject`` predicts ``tokens`` tokens of ``text`` after ``context_tokens`` of it.

    ``perplexity`` is e to the mean negative log-likelihood in nats; how its error is found is said at
    :func:`phicli.bench.quality.estimates.estimate_of_mean`. It can be compared only where the tokens are the same ones.
    ``comparison`` is None for the reference itself.
    """

    subject: Subject
    settings: EngineSettings
    text: str
    tokens: int
    context_tokens: int
    perplexity: Estimate
    comparison: Comparison | None

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and in the history."""
        data: dict[str, Any] = {
            **_subject(self.subject),
            "variant_id": self.subject.variant_id,
            "sha256": self.subject.sha256,
            "engine": self.subject.engine,
            "build": self.subject.build,
            "settings": self.settings.to_data(),
            "text": self.text,
            "tokens": self.tokens,
            "context_tokens": self.context_tokens,
            "perplexity": self.perplexity.to_data(),
            "against": None,
            "perplexity_ratio": None,
            "top1_agreement": None,
            "kl_divergence": None,
            "k": None,
        }
        if (found := self.comparison) is not None:
            share = found.top1_agreement
            data |= {
                "against": _subject(found.reference),
                "perplexity_ratio": found.perplexity_ratio.to_data(),
                "top1_agreement": {"value": share.estimate, "low": share.low, "high": share.high},
                "kl_divergence": found.kl_divergence.to_data(),
                "k": found.top,
            }
        return data


def _subject(subject: Subject) -> dict[str, Any]:
    return {
        "model": subject.model,
        "quant": subject.quant,
        "path": str(subject.path),
        "size_bytes": subject.size_bytes,
        "adapters": [adapter.to_data() for adapter in subject.adapters],
    }
