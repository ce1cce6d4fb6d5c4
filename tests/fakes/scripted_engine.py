"""An engine that plays a script: it keeps the promises of ``phicli.engine.types.Engine`` without a model.

Its tokens are the characters of a text (id = code point), special tokens get ids above Unicode. Its cache is the last
sequence it saw, as in a server with one slot.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from phicli.answering.special_tokens import SpecialTokens
from phicli.engine.closable import Closable, Closing
from phicli.engine.logprobs import Likely
from phicli.engine.types import NO_TOKENS, Chunk, Done, GenerationEvent, Prefill, Sampling, StopReason, Timings, Usage
from phicli.errors import ContextExceededError, EngineError, TemplateError

_FIRST_SPECIAL = 0x110000
LITERALS = (
    "<|endoftext|>",
    "<|end|>",
    "<|user|>",
    "<|system|>",
    "<|assistant|>",
    "<|tool|>",
    "<|/tool|>",
    "<|tool_call|>",
    "<|/tool_call|>",
    "<|tool_response|>",
)
SPECIAL_IDS = {literal: _FIRST_SPECIAL + index for index, literal in enumerate(LITERALS)}
_BY_ID = {token: literal for literal, token in SPECIAL_IDS.items()}
_SPLIT = re.compile("(" + "|".join(map(re.escape, LITERALS)) + ")")


def _likely(piece: str, token: int, likeliest: int) -> tuple[Likely, ...]:
    return (Likely(piece, token, -0.5, (Likely(piece, token, -0.5),)[:likeliest]),) if piece else ()


Script = Callable[[str], str]
"""The text of a prompt to the text of the answer; special literals in the answer are generated as special tokens."""


def special_tokens() -> SpecialTokens:
    return SpecialTokens(literals=dict(_BY_ID))


def spell(tokens: Sequence[int]) -> str:
    return "".join(_BY_ID.get(token) or chr(token) for token in tokens)


class ScriptedEngine:
    """Args: the script, the context, after how many tokens to die (None: never), whether the file has a template.

    While ``goes_on`` is not set it stands still before the next token, as a slow engine would.
    """

    def __init__(
        self, script: Script, *, context_tokens: int = 4096, dies_after: int | None = None, template: bool = False
    ) -> None:
        self._template = template
        self._script = script
        self._context = context_tokens
        self._dies_after = dies_after
        self._cache: tuple[int, ...] = ()
        self.prompts: list[str] = []
        self.samplings: list[Sampling] = []
        """Of each generation."""
        self.closed = False
        self.stopped_early = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    @property
    def context_tokens(self) -> int:
        return self._context

    @property
    def load_ms(self) -> float:
        return 1.0

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        self.goes_on.clear()
        try:
            yield
        finally:
            self.goes_on.set()

    def wait_ready(self, closing: Closing | None = None) -> None:
        while not self.goes_on.wait(0.01):
            if closing is not None:
                closing.check()

    def tokenize(self, text: str, *, parse_special: bool, closing: Closing | None = None) -> tuple[int, ...]:
        self.wait_ready(closing)
        ids: list[int] = []
        for part in _SPLIT.split(text):
            if parse_special and part in SPECIAL_IDS:
                ids.append(SPECIAL_IDS[part])
            else:
                ids.extend(map(ord, part))
        return tuple(ids)

    def render_template(self, messages: Sequence[dict[str, str]], *, closing: Closing | None = None) -> str:
        self.wait_ready(closing)
        if self.closed:
            raise EngineError("the engine stopped: it was closed")
        if not self._template:
            raise TemplateError("the scripted engine has no template")
        turns = "".join(f"<|{message['role']}|>{message['content']}<|end|>" for message in messages)
        return f"{turns}<|assistant|>"

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Closable[GenerationEvent]:
        return Closable(lambda closing: self._events(closing, prompt, sampling, stop_ids, visible_tokens, until))

    def _events(
        self,
        closing: Closing,
        prompt: Sequence[int],
        sampling: Sampling,
        stop_ids: frozenset[int],
        visible_tokens: Mapping[str, int],
        until: Callable[[], bool] | None,
    ) -> Generator[GenerationEvent, None, None]:
        if not prompt:
            raise EngineError("there is nothing to generate from")
        if len(prompt) >= self._context:
            raise ContextExceededError(f"the prompt has {len(prompt)} tokens, but the context has only {self._context}")
        self.prompts.append(spell(prompt))
        self.samplings.append(sampling)
        cached = self._common_prefix(prompt)
        yield Prefill(processed=cached, total=len(prompt), cached=cached)
        finished = False
        generated: list[int] = []
        try:
            reason: StopReason = "stop"
            stop_id: int | None = None
            for token in self.tokenize(self._script(spell(prompt)), parse_special=True, closing=closing):
                if self._dies_after is not None and len(generated) >= self._dies_after:
                    finished = True
                    raise EngineError("the engine stopped in the middle of the answer: killed")
                if len(prompt) + len(generated) >= self._context or len(generated) == sampling.max_tokens:
                    reason = "length"
                    break
                if token in stop_ids or _BY_ID.get(token) in ("<|end|>", "<|endoftext|>"):
                    stop_id = token if token in stop_ids else None
                    break
                self.wait_ready(closing)
                generated.append(token)
                literal = _BY_ID.get(token)
                piece = chr(token) if literal is None else literal if literal in visible_tokens else ""
                likely = () if sampling.likeliest is None else _likely(piece, token, sampling.likeliest)
                yield Chunk(piece, (token,), 1, likely)
                if until is not None and until():
                    break
            finished = True
            self._cache = (*prompt, *generated)
            usage = Usage(len(prompt), len(generated), cached)
            yield Done(reason, usage, Timings(1.0, 1.0, 1000.0, 1000.0), tuple(generated), stop_id)
        finally:
            self._cache = (*prompt, *generated)
            self.stopped_early += not finished

    def close(self) -> None:
        self.closed = True

    def _common_prefix(self, prompt: Sequence[int]) -> int:
        count = 0
        for ours, theirs in zip(self._cache, prompt[:-1], strict=False):
            if ours != theirs:
                break
            count += 1
        return count
