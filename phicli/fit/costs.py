"""What a token costs in milliseconds, as a line over the depth of the context; every grade of speed is made of this."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.fit.types import Method, Speed


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds, and how they are known.

    A token takes ``token + depth · depth_token``, with ``depth`` tokens before it. Each token of a prompt takes
    ``prompt_token + depth · prompt_depth_token``, and a prompt ``prompt`` once. ``error`` is the relative half-width of
    the range of the time of a token. It ends at ``least``: reading the weights takes as long at what the probe says, or
    at what the maker of a GPU promises. ``published`` when it rests on figures that others have published: we have not
    measured a machine of this kind.
    """

    token: float
    depth_token: float
    prompt: float
    prompt_token: float
    prompt_depth_token: float
    method: Method
    error: float
    published: bool = False
    least: float = 0.0

    def decode_ms(self, depth_tokens: int) -> float:
        """One token after ``depth_tokens``."""
        return max(self.token + depth_tokens * self.depth_token, 1e-3)

    def shortest_ms(self, depth_tokens: int) -> float:
        """The lower end of the range of :meth:`decode_ms`."""
        decode = self.decode_ms(depth_tokens)
        return min(max(decode * (1 - self.error), self.least), decode)

    def prompt_ms(self, tokens: int) -> float:
        """A prompt of ``tokens``, from nothing: its tokens are ``tokens / 2`` deep on average."""
        return max(self.prompt + tokens * (self.prompt_token + tokens / 2 * self.prompt_depth_token), 1e-3)

    def speed(self, *, context_tokens: int, prompt_tokens: int) -> Speed:
        """The same as rates.

        The time to the first token is that of reading the prompt: loading comes before it and is not in it.
        """
        decode, prompt = self.decode_ms(0), self.prompt_ms(prompt_tokens)
        return Speed(
            decode_tps=1000 / decode,
            decode_tps_low=1000 / (decode * (1 + self.error)),
            decode_tps_high=1000 / self.shortest_ms(0),
            decode_at_context_tps=1000 / self.decode_ms(context_tokens),
            prefill_tps=1000 * prompt_tokens / prompt,
            ttft_s=prompt / 1000,
            context_s=self.prompt_ms(context_tokens) / 1000,
            method=self.method,
            published=self.published,
        )
