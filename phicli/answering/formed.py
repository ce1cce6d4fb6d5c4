"""Answers that have a form: the engine is asked to hold it, and it is checked when the answer is there."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phicli.answering.types import NO_ENDING, REPETITION, Answer, Answering, Ending, Event, Model, Notice, Undecided
from phicli.chat_format.types import Message, Piece
from phicli.engine.closable import Closable, Closing
from phicli.engine.constraint import ConstraintError
from phicli.engine.loan import LoanError
from phicli.engine.types import SAMPLING_LIMITS, Sampling
from phicli.errors import CheckFailedError
from phicli.structured.form import Checked, Form
from phicli.units import counted

RETRIES: Final = 2
"""Further attempts at an answer that does not have its form, where nothing else is asked for."""

RETRY_TEMPERATURE: Final = 0.7
"""At temperature 0 every attempt would give the same answer."""

_NOTHING: Final = Checked(None, ("the model reasoned and gave no answer",))


class FormError(CheckFailedError):
    """No answer had the form; ``answer`` is the last one, and ``problems`` are what is wrong with it."""

    def __init__(self, message: str, hint: str, answer: Answer, problems: Sequence[str]) -> None:
        data = {
            "errors": list(problems), "text": answer.text, "finish_reason": answer.finish_reason,
            "attempts": answer.attempts,
        }  # fmt: skip
        super().__init__(message, hint, data=data)
        self.answer = answer
        self.problems = tuple(problems)


class FormedModel:
    """A :class:`~phicli.answering.types.Model` whose answers have a form, or are errors.

    Nothing of an answer is shown before all of it was checked.

    Args:
        model: what answers.
        form: of the answers.
        retries: so many further attempts, with other seeds, after an answer without the form.
        seed_step: from the seed of one attempt to that of the next.
        shows_cut_off: an answer that the limit of tokens cut off is given as it is, with that as its reason to end.
    """

    def __init__(
        self, model: Model, form: Form, retries: int, *, seed_step: int = 1, shows_cut_off: bool = False
    ) -> None:
        self._model, self._form, self._retries, self._seed_step = model, form, retries, seed_step
        self._shows_cut_off = shows_cut_off

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._model.name

    @property
    def quant(self) -> str | None:
        """The quantization of its weights."""
        return self._model.quant

    @property
    def context_tokens(self) -> int | None:
        """The most tokens that a conversation with its answers may have."""
        return self._model.context_tokens

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> FormedAnswering:
        """Answer the last of ``messages``; the events raise :class:`FormError` as well."""
        brake = ending.brake and bool(self._form.to_limit)
        request = _Request(self._model, tuple(messages), tools, sampling, ending, brake)
        return FormedAnswering(request, self._form, self._retries, self._seed_step, shows_cut_off=self._shows_cut_off)

    def count(self, messages: Sequence[Message], *, tools: str | None = None, closing: Closing | None = None) -> int:
        """The tokens of a prompt."""
        return self._model.count(messages, tools=tools, closing=closing)

    def close(self) -> None:
        """Let go of everything."""
        self._model.close()


@dataclass(frozen=True, slots=True)
class _Request:
    model: Model
    messages: tuple[Message, ...]
    tools: str | None
    sampling: Sampling
    ending: Ending
    brake: bool

    def answering(self, sampling: Sampling) -> Answering:
        """An attempt, which no stop text ends."""
        ending = replace(self.ending, stop_texts=(), brake_held=self.brake)
        return self.model.answer(self.messages, tools=self.tools, sampling=sampling, ending=ending)


class FormedAnswering(Closable[Event]):
    """The events of one answer (:class:`~phicli.answering.types.Answering`)."""

    def __init__(
        self, request: _Request, form: Form, retries: int, seed_step: int, *, shows_cut_off: bool = False
    ) -> None:
        super().__init__(self._events)
        self._shows_cut_off = shows_cut_off
        self._request, self._form, self._retries, self._seed_step = request, form, retries, seed_step
        self._attempt = request.answering(request.sampling)
        self._constraints = form.constraints(request.sampling.max_tokens)
        self._complete: Answer | None = None

    def so_far(self) -> Answer:
        """The answer up to now: of an attempt that was not checked, all but its text."""
        return self._complete or replace(self._attempt.so_far(), text="", token_ids=None, likely=None)

    def _events(self, closing: Closing) -> Generator[Event, None, None]:
        started = time.monotonic()
        if self._request.ending.stop_texts:
            yield Notice(f"--stop has no effect, because the answer must match {self._form.name}")
        for attempt in range(self._retries + 1):
            sampling = _sampled(self._request.sampling, attempt, self._seed_step)
            answer = replace((yield from self._tried(sampling, closing)), attempts=attempt + 1)
            answer = replace(answer, sampled=sampling) if attempt else answer
            cut_off = answer.finish_reason == "length"
            if cut_off and not self._shows_cut_off:
                raise _cut_off(self._form, answer)
            checked = self._checked(answer)
            if cut_off or not checked.problems or answer.tool_calls:
                ms = (time.monotonic() - started) * 1000
                self._complete = replace(answer, parsed=checked.value, ttft_ms=ms, total_ms=ms)
                yield Piece("text", answer.text)
                yield self._complete
                return
            if attempt < self._retries:
                yield Notice(f"attempt {attempt + 1} does not match {self._form.name}: {checked.problems[0]}")
        raise _not_matching(self._form, answer, checked.problems)

    def _checked(self, answer: Answer) -> Checked:
        """The value of ``answer``, and what is wrong with it."""
        if answer.only_reasoning:
            return _NOTHING
        if answer.stopped_by == REPETITION:
            tokens = counted(answer.usage.completion_tokens, "token")
            return Checked(None, (f"it was ended after {tokens}, because it repeated itself",))
        return self._form.check(answer.text, self._request.sampling.max_tokens)

    def _tried(self, sampling: Sampling, closing: Closing) -> Generator[Event, None, Answer]:
        """One attempt, with the first constraint that the engine can hold; the next attempt begins with that one.

        The last constraint of several holds little of the form, so the person is told.
        """
        while True:
            constraint, *others = self._constraints
            try:
                return (yield from self._passed_on(replace(sampling, constraint=constraint), closing))
            except LoanError:  # from now on the model has an engine of this program
                continue
            except ConstraintError as error:
                if not others:
                    message = f"the engine cannot use {self._form.name}: {error.message}"
                    raise ConstraintError(message, "correct it and run the command again") from error
                self._constraints = tuple(others)
                if len(others) == 1:
                    yield Notice(f"the engine cannot hold {self._form.name}, so it is only checked: {error.message}")

    def _passed_on(self, sampling: Sampling, closing: Closing) -> Generator[Event, None, Answer]:
        self._attempt = attempt = self._request.answering(sampling)
        with closing.woken_by(attempt.close):
            for event in attempt:
                if isinstance(event, Piece) and event.kind == "text":
                    yield Undecided(attempt.so_far().usage.completion_tokens)
                elif not isinstance(event, Answer):
                    yield event
        closing.check()
        return attempt.so_far()


def _sampled(sampling: Sampling, attempt: int, seed_step: int) -> Sampling:
    """How tokens are chosen in an attempt: with a given seed, all attempts can be had again."""
    if not attempt:
        return sampling
    largest = int(SAMPLING_LIMITS["seed"][1])
    seed = None if sampling.seed is None else (sampling.seed + attempt * seed_step) % (largest + 1)
    return replace(sampling, seed=seed, temperature=sampling.temperature or RETRY_TEMPERATURE)


def _cut_off(form: Form, answer: Answer) -> FormError:
    count = answer.usage.completion_tokens
    tokens = counted(count, "token")
    problem = f"the answer was cut off after {tokens}, before it matched {form.name}"
    if answer.only_reasoning:
        problem = f"the model gave no answer: its reasoning was cut off after {tokens}"
    more = f"allow more tokens: --max-tokens {2 * count}"
    if answer.context_full:
        more = "use a larger context: --context SIZE"
    return FormError(problem, more, answer, [problem])


def _not_matching(form: Form, answer: Answer, problems: Sequence[str]) -> FormError:
    times = "" if answer.attempts == 1 else f" after {counted(answer.attempts, 'attempt')}"
    message = f"the answer does not match {form.name}{times}: {problems[0]}"
    hint = f"say in the prompt what you need, or allow more attempts: --retries {2 * answer.attempts}"
    if answer.stopped_by == REPETITION and form.to_limit:
        hint = f"{form.to_limit}, or change --temperature"
    return FormError(message, hint, answer, problems)
