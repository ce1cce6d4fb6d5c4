"""Models that may call tools, for answers that nobody looks at before they are used."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from phicli.answering.calling import WRONG_CALL, correction, wrong_in
from phicli.answering.types import NO_ENDING, Answer, Answering, Ending, Event, Model, Notice, Undecided
from phicli.chat_format.continuation import begun_answer
from phicli.chat_format.tool_calls import OPEN, has_broken_call
from phicli.chat_format.types import Message, Piece
from phicli.engine.closable import Closable, Closing
from phicli.engine.constraint import Constraint
from phicli.engine.types import Sampling, Usage
from phicli.errors import CheckFailedError
from phicli.tools.types import Tool

_NO_CALL = "no tool was called"
_HINT = "describe the tools and their parameters better, or send the request again with another seed"


@dataclass(frozen=True, slots=True)
class ToldModel:
    """Answers as a :class:`~phicli.answering.types.Model` that is told of tools; nobody looks at its calls.

    Attributes:
        model: what answers.
        declared: what it is told, as a JSON array.
    """

    model: Model
    declared: str

    def answer(self, messages: Sequence[Message], *, sampling: Sampling, ending: Ending = NO_ENDING) -> Answering:
        """Answer the last of ``messages``, in one attempt."""
        return self.model.answer(messages, tools=self.declared, sampling=sampling, ending=ending)


@dataclass(frozen=True, slots=True)
class CallingModel:
    """Answers as a :class:`~phicli.answering.types.Model` that may call tools; a wrong call is fed back once.

    Text is shown as it comes; what may be a call that cannot be read is held back until that is known. Text in front of
    a wrong call stays, and the second attempt goes on behind it.

    Attributes:
        model: what answers.
        tools: those that may be called.
        declared: what the model is told of them, as a JSON array.
        several: one answer may have more than one call; otherwise all but the first are left out.
        constraint: what holds the answer to calls; None where it may also be text.
        required: an answer without a call is wrong although nothing holds it to calls.
    """

    model: Model
    tools: tuple[Tool, ...]
    declared: str
    several: bool = True
    constraint: Constraint | None = None
    required: bool = False

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> CallingAnswering:
        """Answer the last of ``messages``; the events raise :class:`CheckFailedError` as well.

        That is for calls that cannot be read, and for none where one was required. Calls that can be read are given to
        the caller after the second attempt, whatever their arguments.
        """
        del tools
        return CallingAnswering(self, tuple(messages), replace(sampling, constraint=self.constraint), ending)

    def wrong(self, answer: Answer) -> str | None:
        """What is wrong with the calls of ``answer``."""
        must_call = self.required or self.constraint is not None
        if must_call and answer.finish_reason == "stop" and not answer.tool_calls:
            return _NO_CALL
        return wrong_in(answer, self.tools)


class CallingAnswering(Closable[Event]):
    """The events of one answer (:class:`~phicli.answering.types.Answering`)."""

    def __init__(
        self, calling: CallingModel, messages: tuple[Message, ...], sampling: Sampling, ending: Ending
    ) -> None:
        super().__init__(self._events)
        self._calling, self._messages, self._sampling, self._ending = calling, messages, sampling, ending
        self._attempt = self._asked(messages)
        self._complete: Answer | None = None
        self._held: list[str] = []

    def so_far(self) -> Answer:
        """The answer up to now."""
        return self._complete or self._attempt.so_far()

    def _events(self, closing: Closing) -> Generator[Event, None, None]:
        answer = yield from self._tried(closing)
        if (wrong := self._calling.wrong(answer)) is not None:
            yield Notice(WRONG_CALL.format(wrong))
            first, shown = answer, answer.text.removesuffix("".join(self._held))
            self._held = []
            self._attempt = self._asked(_with_error(self._messages, first, wrong))
            answer = _joined(first, shown, (yield from self._tried(closing)))
            self._require_right(answer)
        self._complete = answer = self._without_cut_call(answer)
        if self._held:
            yield Piece("text", "".join(self._held))
        yield answer

    def _asked(self, messages: tuple[Message, ...]) -> Answering:
        return self._calling.model.answer(
            messages, tools=self._calling.declared, sampling=self._sampling, ending=self._ending
        )

    def _tried(self, closing: Closing) -> Generator[Event, None, Answer]:
        """The events of one attempt, without its last one and without text that may be a call."""
        with closing.woken_by(self._attempt.close):
            for event in self._attempt:
                if isinstance(event, Piece) and event.kind == "text":
                    yield from self._shown(event.text)
                elif not isinstance(event, Answer):
                    yield event
        closing.check()
        answer = self._attempt.so_far()
        if not self._calling.several and len(answer.tool_calls) > 1:
            return replace(answer, tool_calls=answer.tool_calls[:1])
        return answer

    def _shown(self, text: str) -> Generator[Event, None, None]:
        place = 0 if self._held or self._calling.constraint is not None else text.find(OPEN)
        shown = text if place < 0 else text[:place]
        if shown:
            yield Piece("text", shown)
        if shown != text:
            self._held.append(text[len(shown) :])
            yield Undecided(self._attempt.so_far().usage.completion_tokens)

    def _without_cut_call(self, answer: Answer) -> Answer:
        """An answer that the limit of tokens ended in the middle of a call, without the beginning of that call."""
        held = "".join(self._held)
        if answer.finish_reason != "length" or not held:
            return answer
        if self._calling.constraint is None and not has_broken_call(held):
            return answer
        self._held = []
        return replace(answer, text=answer.text.removesuffix(held), token_ids=None, likely=None)

    def _require_right(self, answer: Answer) -> None:
        """Return if the second attempt is of use.

        Raises:
            CheckFailedError: it is not.
        """
        wrong = self._calling.wrong(answer)
        if wrong is not None and not answer.tool_calls:
            raise CheckFailedError(f"the model made a wrong tool call again: {wrong}", _HINT)


def _with_error(messages: tuple[Message, ...], answer: Answer, wrong: str) -> tuple[Message, ...]:
    said, *results = correction(answer, wrong)
    if begun := begun_answer(messages):
        messages, said = messages[:-1], replace(said, content=begun + said.content, token_ids=None)
    return (*messages, said, *results)


def _joined(first: Answer, shown: str, second: Answer) -> Answer:
    """The second attempt behind what was shown of the first one; all tokens of both were generated."""
    usage = first.usage
    completion = usage.completion_tokens + second.usage.completion_tokens
    return replace(
        second,
        text=shown + second.text,
        reasoning=first.reasoning + second.reasoning,
        usage=Usage(usage.prompt_tokens, completion, usage.cached_tokens),
        reasoning_tokens=first.reasoning_tokens + second.reasoning_tokens,
        token_ids=None,
        ttft_ms=first.ttft_ms if shown else second.ttft_ms,
        attempts=2,
    )
