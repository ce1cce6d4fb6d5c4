"""A model file on an engine of this machine, as a model that answers conversations."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from phicli.answering.draft import Draft
from phicli.answering.encode import encode
from phicli.answering.engines import Engines
from phicli.answering.interruptible import Interruptible
from phicli.answering.likely_tokens import LikelyTokens
from phicli.answering.making import Work
from phicli.answering.model_file import ModelFile
from phicli.answering.open_file import OpenFile
from phicli.answering.request import Request
from phicli.answering.types import NO_ENDING, Answer, Ending, Event, Notice
from phicli.chat_format.given_answer import given_answer as chat_answer
from phicli.chat_format.types import Message
from phicli.engine.closable import Closable, Closing
from phicli.engine.types import Sampling
from phicli.plan.context import ContextPlan

if TYPE_CHECKING:
    from phicli.answering.prompt_parts import ExactPrompt


class LocalModel(OpenFile):
    """A :class:`~phicli.answering.types.Model` of a file.

    A conversation that outgrows its context goes on in a larger one. The next conversation that fits into the first
    context is answered in the first context again, as if the larger one had never been.

    Args:
        file: the file's prompt format and special tokens.
        engines: where engines with the file come from; they decide how many answers can be made at a time.
        context: the first allocation and the limit of a conversation.
    """

    def __init__(self, file: ModelFile, engines: Engines, context: ContextPlan) -> None:
        super().__init__(file, engines, context)
        self._drafts: tuple[Draft, ...] = ()

    @property
    def name(self) -> str:
        """The model's name for people."""
        return self.file.name

    @property
    def quant(self) -> str | None:
        """The quantization of its weights; None where it is unknown."""
        return self.file.quant

    @property
    def context_tokens(self) -> int:
        """The most tokens that a conversation with its answers may have."""
        return self.context.limit_tokens

    @property
    def used_tokens(self) -> int:
        """The tokens of the conversation that the engine has evaluated last; 0 before the first answer."""
        return next((used for draft in reversed(self._drafts) if (used := draft.so_far().used_tokens)), 0)

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> LocalAnswering:
        """Answer the last of ``messages``; see :class:`~phicli.answering.types.Model`."""
        return self._answering(Request(tuple(messages), tools, sampling, ending))

    def continue_text(self, text: str, *, sampling: Sampling, ending: Ending = NO_ENDING) -> LocalAnswering:
        """Continue ``text``, which is part of no conversation: no prompt format is put around it."""
        return self._answering(Request((Message("user", text),), None, sampling, ending, as_text=True))

    def count(self, messages: Sequence[Message], *, tools: str | None = None, closing: Closing | None = None) -> int:
        """The tokens of a prompt; see :class:`~phicli.answering.types.Model`."""
        waiting = closing or Closing()
        work = Work(self, Request(tuple(messages), tools, Sampling(), NO_ENDING), Draft(time.monotonic()), waiting)
        return len(work.prompt()[1])

    def prompt(
        self, messages: Sequence[Message], *, tools: str | None = None, ending: Ending = NO_ENDING
    ) -> ExactPrompt:
        """The prompt that asks for an answer to ``messages``; nothing is evaluated. Raises what ``count`` raises."""
        from phicli.answering.prompt_parts import ExactPrompt, parts_of

        request = Request(tuple(messages), tools, Sampling(), ending)
        segments, ids = Work(self, request, Draft(time.monotonic()), Closing()).prompt()
        return ExactPrompt(tuple(parts_of(segments, self.file.special_tokens, ids)), ids)

    def ids(
        self, messages: Sequence[Message], on_notice: Callable[[Notice], object], *,
        tools: str | None = None, ending: Ending = NO_ENDING, as_text: bool = False,
    ) -> tuple[int, ...]:  # fmt: skip
        """The token ids of the prompt for an answer to ``messages``, or of a text; raises what ``count`` raises."""
        request = Request(tuple(messages), tools, Sampling(), ending, as_text)
        return Work(self, request, Draft(time.monotonic()), Closing()).prompt(on_notice)[1]

    def given_answer(
        self, messages: Sequence[Message], answer: Message, on_notice: Callable[[Notice], object], *,
        tools: str | None = None,
    ) -> tuple[tuple[int, ...], int]:  # fmt: skip
        """The token ids of a prompt for ``messages`` with ``answer`` behind it, and where the answer begins.

        The token that ends the answer is a part of it. Raises what ``count`` raises.
        """
        closing = Closing()
        request = Request(tuple(messages), tools, Sampling(), NO_ENDING)
        segments, prompt = Work(self, request, Draft(time.monotonic()), closing).prompt(on_notice)
        tokenizer = Interruptible(self.engines.running(closing), closing, self.file.byte_pairs)
        behind = chat_answer(self.format_for(tokenizer), answer, self.file.end_id)
        file = self.file
        whole = encode((*segments, *behind), tokenizer, file.special_tokens, bos_id=file.bos_id)
        alike = takewhile(lambda ids: ids[0] == ids[1], zip(prompt, whole, strict=False))
        return whole, sum(1 for _ in alike)  # a tokenizer may join the beginning of an answer with the prompt

    def _answering(self, request: Request) -> LocalAnswering:
        draft = Draft(time.monotonic(), None if request.sampling.likeliest is None else LikelyTokens())
        self._drafts = (*(known for known in self._drafts if known.so_far().used_tokens), draft)[-2:]
        return LocalAnswering(draft, lambda closing: Work(self, request, draft, closing).events())

    def close(self) -> None:
        """End the engines; answers that still come fail. Safe to call twice, and from any thread."""
        self.engines.close()


class LocalAnswering(Closable[Event]):
    """The events of one answer (:class:`~phicli.answering.types.Answering`)."""

    def __init__(self, draft: Draft, events: Callable[[Closing], Generator[Event, None, None]]) -> None:
        super().__init__(events)
        self._draft = draft

    def close(self) -> None:
        """Cancel the answer, from any thread."""
        self._draft.stop_clock()
        super().close()

    def so_far(self) -> Answer:
        """The answer up to now, from any thread: ``interrupted`` unless it is complete."""
        return self._draft.so_far()
