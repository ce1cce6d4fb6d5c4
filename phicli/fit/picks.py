"""A pick in words: why it was taken, and what to type."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phicli.catalog.types import Variant
from phicli.fit.contexts import format_wait, why_short_thoughts, why_shorter, why_smaller_cache
from phicli.fit.quality import SPOILT_POINTS, quantisation_loss, score_of, thinking_ratio, thoughts_length
from phicli.fit.ranking import Ranking
from phicli.fit.types import Assessment, Pick, Request, Role, Speed
from phicli.hardware.types import Machine

_NOTICEABLE_POINTS: Final = 2.5
_SAME_POINTS: Final = 0.5
_HEAVY_POINTS: Final = 1.0
_THOUGHT_TOKENS: Final = 4000
"""What a reasoning model writes before it answers; declared: it may be a tenth of it, or ten times as much."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What the words of a pick depend on.

    ``better`` is what would be taken with a shorter context than the one that was asked for, where that is too long.
    ``unlisted`` are models that fit and have scores on the scale of the task, but are not made for it.
    """

    request: Request
    ranking: Ranking
    machine: Machine
    better: Assessment | None = None
    unlisted: tuple[Variant, ...] = ()

    def pick(self, role: Role, one: Assessment, best: Assessment) -> Pick:
        """The pick ``one`` in the ``role`` beside ``best``, with its reasons and its command."""
        ranking = self.ranking
        if role == "best":
            reasons = [self._why_best(one), *self._higher_scores(one)]
        elif role == "faster":
            ratio = ranking.pace(one) / ranking.pace(best)
            reasons = [f"answers {ratio:.1f} times as fast as the best pick; {self._points(one, best)}"]
        else:
            price = " and ".join(self._prices(one, best))
            reasons = [f"better: {self._points(one, best)}; but {price}", *self._higher_scores(one)]
        reasons += [*self._about_context(role, one), *self._remarks(one)]
        return Pick(role, one, tuple(reasons), self.command(one))

    def command(self, one: Assessment) -> str:
        """What to type: ``phi chat`` offers the download itself.

        The context is named where it was asked for, and where there are layers on a GPU: a conversation would outgrow
        its memory. Where there is a GPU, ``phi chat`` gives it all layers: what is planned otherwise is named.
        """
        candidate, task = one.candidate, self.ranking.task
        words = ["phi", "chat", candidate.name]
        if self.request.context_tokens is not None or task.context_required or one.gpu_layers:
            words += ["--context", str(one.context_tokens)]
        if one.kv_type != "f16":
            words += ["--kv-type", one.kv_type]
        if any(card.usable for card in self.machine.gpus) and one.gpu_layers <= candidate.shape.layers:
            words += ["--gpu-layers", str(one.gpu_layers)]
        return shlex.join(words)

    def _why_best(self, one: Assessment) -> str:
        task, tps, target = self.ranking.task, self.ranking.tps(one), self.ranking.target_tps
        of = "" if self.machine.memory is None else "of the models that fit, "
        reason = f"{of}the best balance of quality and speed for {task.purpose}"
        if tps < target:
            return f"{reason}; its {tps:.1f} {self._rate(one)} are below the target of {target:g}"
        said = (one.candidate.variant.strength or "").split(", ")
        own = [part for part in said if any(word in part for word in task.strengths)]
        strengths = [part for part in own if part != task.purpose]
        return reason + (f" ({', '.join(strengths)})" if strengths else "")

    def _points(self, one: Assessment, best: Assessment) -> str:
        purpose = self.ranking.task.purpose
        if abs(one.quality - best.quality) < _SAME_POINTS:
            return f"the same quality for {purpose}"
        digits = 1 if round(one.quality) == round(best.quality) else 0
        mine, other = f"{one.quality:.{digits}f}", f"{best.quality:.{digits}f}"
        said = [("" if each.published else "about ") + text for each, text in ((one, mine), (best, other))]
        return f"{said[0]} vs. {said[1]} points for {purpose}"

    def _rate(self, one: Assessment) -> str:
        return "answer tokens/s" if thinking_ratio(one.candidate.variant, self.ranking.task) else "tokens/s"

    def _prices(self, one: Assessment, best: Assessment) -> list[str]:
        """What the smarter one costs most, against the best: waiting, a large file, memory that it fills; at most two.

        All that are heavy, or the heaviest.
        """
        mine, other = self.ranking.worth(one), self.ranking.worth(best)
        task = self.ranking.task
        longer = thoughts_length(one.candidate.variant, task) > thoughts_length(best.candidate.variant, task)
        slow = f"it {'reasons longer and ' if longer else ''}generates {self.ranking.tps(one):.1f} {self._rate(one)}"
        prices = [
            (mine.wait - other.wait, slow),
            (mine.size - other.size, f"its download is {one.candidate.shape.weights_bytes / 1e9:.1f} GB"),
            (mine.tight - other.tight, f"it fills {one.memory_share:.0%} of the usable memory"),
            (mine.split - other.split, "it is shared between the GPU and the processor"),
        ]
        prices.sort(key=lambda price: -price[0])
        return [prices[0][1], *(words for points, words in prices[1:2] if points >= _HEAVY_POINTS)]

    def _higher_scores(self, one: Assessment) -> list[str]:
        """That a model which is not made for the task has a higher score all the same: the one with the highest."""
        task = self.ranking.task
        scores = [(score.value, variant.id) for variant in self.unlisted if (score := score_of(variant, task))]
        value, name = max(scores, default=(0.0, ""))
        if value <= one.quality:
            return []
        return [f"{name} scores higher ({task.benchmark} {value:g}), but is not listed for {task.purpose}"]

    def _about_context(self, role: Role, one: Assessment) -> list[str]:
        """How long a document takes to read, and what another context would take."""
        task, found = self.ranking.task, []
        if task.context_required:
            found.append(f"a document of {one.context_tokens:,} tokens takes {_about(one.speed.context_s)} to read")
        usual = min(task.context_tokens, one.wanted_tokens)
        if self.request.context_tokens is None and one.context_tokens < usual:
            found.append(why_shorter(one, self.machine))
        elif self.request.context_tokens is None and one.context_tokens < one.wanted_tokens:
            found.append(why_short_thoughts(one, self.machine))
        if role == "best" and self.better is not None:
            found.append(_better_context(self.better, self.ranking))
        return found

    def _remarks(self, one: Assessment) -> list[str]:
        """What else a person should know of it."""
        found = []
        quant, shape = one.candidate.quant, one.candidate.shape
        loss = quantisation_loss(quant)
        if loss >= _NOTICEABLE_POINTS:
            alone = loss >= SPOILT_POINTS and self.request.quant is None
            nothing = "; nothing better fits" if alone else ""
            found.append(f"{quant} costs about {loss:.0f} points of quality{nothing}")
        if one.kv_type != "f16":
            why = one.candidate.variant.reasoning and self.request.kv_type is None
            more = f"; {why_smaller_cache(one, self.machine)}" if why else ""
            found.append(f"the KV cache type is {one.kv_type}: about half the memory of f16{more}")
        found += self._about_thoughts(one)
        if one.is_split:
            found.append(f"{one.gpu_layers} of {shape.layers + 1} layers run on the GPU, the rest on the processor")
        return found

    def _about_thoughts(self, one: Assessment) -> Sequence[str]:
        variant, task = one.candidate.variant, self.ranking.task
        if not variant.reasoning:
            return ()
        tokens = round(_THOUGHT_TOKENS * thoughts_length(variant, task))
        wait = tokens / tps_at(one.speed, one.context_tokens, tokens // 2)
        ratio = thinking_ratio(variant, task)
        longer = f"; about {ratio:.0f} tokens of reasoning for each token of the answer" if ratio else ""
        return (f"it reasons first: about {tokens:,} tokens, {_about(wait)}{longer}",)


def tps_at(speed: Speed, context_tokens: int, depth_tokens: int) -> float:
    """Tokens per second after ``depth_tokens``: the time of a token is a line over the depth."""
    start, end = 1 / speed.decode_tps, 1 / speed.decode_at_context_tps
    return 1 / (start + (end - start) * depth_tokens / max(context_tokens, 1))


def _about(seconds: float) -> str:
    return f"about {format_wait(seconds)}"


def _better_context(better: Assessment, ranking: Ranking) -> str:
    """The context that suits the machine better than the one that was asked for, and what one gets with it."""
    read = f", read in {_about(better.speed.context_s)}" if ranking.task.context_required else ""
    return f"better on this machine: --context {better.context_tokens} with {better.candidate.name}{read}"
