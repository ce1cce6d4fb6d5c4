"""Several answers of ``phi chat`` to one question."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from phicli.engine.types import SEEDS
from phicli.errors import CheckFailedError, UserInterruptError

if TYPE_CHECKING:
    from phicli.answering.types import Answer
    from phicli.chat.dialogue import Turn
    from phicli.chat.open import OpenChat
    from phicli.commands.conversation_options import Conversation
    from phicli.commands.request import Request
    from phicli.ui.status import StatusLine
    from phicli.ui.terminal import Terminal

    OnEnd = Callable[[Answer, bool], None]
    PrintAnswer = Callable[[Turn, OnEnd, Request, str], None]

_COMMON: Final = ("model", "quant", "engine", "build", "settings")


@dataclass(frozen=True, slots=True)
class Sample:
    """One of ``count`` answers: its number from 1, and its seed."""

    number: int
    count: int
    seed: int

    @property
    def data(self) -> dict[str, int]:
        """As JSON has it."""
        return {"sample": self.number, "seed": self.seed}

    @property
    def name(self) -> str:
        """In messages."""
        return f"sample {self.number} of {self.count}"


class Failures:
    """The samples that are not as they were asked for; ``tell`` gets a note about each when it fails."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._errors: list[tuple[Sample, CheckFailedError]] = []

    @contextmanager
    def of(self, sample: Sample) -> Iterator[None]:
        """Within the context, a check of ``sample`` that fails is remembered."""
        try:
            yield
        except CheckFailedError as error:
            self._errors.append((sample, error))
            self._tell(f"note: {sample.name}: {error.message}")

    @property
    def data(self) -> list[dict[str, Any]]:
        """As JSON has them."""
        return [{**sample.data, "message": error.message, **_failure_data(error)} for sample, error in self._errors]

    def require_none(self, data: Mapping[str, Any]) -> None:
        """Return if none failed.

        Raises:
            CheckFailedError: some did; it has ``data``.
        """
        if not self._errors:
            return
        sample, error = self._errors[0]
        count = len(self._errors)
        many = "" if count == 1 else f"{count} of {sample.count} samples failed; "
        raise CheckFailedError(f"{many}{sample.name}: {error.message}", error.hint, data={**data, "failed": self.data})


def _failure_data(error: CheckFailedError) -> dict[str, Any]:
    """What is known of an answer that is not as it was asked for, without what all samples have in common."""
    from phicli.answering.formed import FormError
    from phicli.ui.answer import answer_data

    data = {**(answer_data(error.answer) if isinstance(error, FormError) else {}), **(error.data or {})}
    return {name: value for name, value in data.items() if name not in _COMMON}


def answer_samples(
    chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, asked: Turn, request: Request,
    print_answer: PrintAnswer, on_end: OnEnd,
) -> None:  # fmt: skip
    """Print the answers to ``asked``, one after another.

    Raises:
        UserInterruptError: Ctrl-C; has the answers that there are.
        CheckFailedError: answers are not as they were asked for.
    """
    if chat.session.sampling.temperature == 0 and (wanted.samples or 1) > 1 and not wanted.quiet:
        terminal.say("note: at temperature 0 all samples are equal; add --temperature 0.7")
    failures = Failures((lambda _: None) if wanted.quiet else terminal.say)
    if wanted.as_json:
        _as_json(chat, terminal, status, wanted, asked, request, failures, on_end)
    elif wanted.events:
        _as_events(chat, terminal, wanted, asked, request, failures, on_end)
    else:
        _as_text(chat, terminal, wanted, asked, request, failures, print_answer, on_end)


def _as_text(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, request: Request, failures: Failures,
    print_answer: PrintAnswer, on_end: OnEnd,
) -> None:  # fmt: skip
    printed = False
    for sample in _samples(chat, wanted.samples or 1):
        if printed and not wanted.form.asked:
            terminal.write("\n")
        if terminal.stdout.isatty() and not wanted.quiet:
            terminal.say(f"{sample.name}, seed {sample.seed}")
        with failures.of(sample):
            print_answer(asked, on_end, request, sample.name)
            printed = True
    failures.require_none({})


def _samples(chat: OpenChat, count: int) -> Iterator[Sample]:
    """Prepare ``chat`` for each of the answers in turn: what was said before is the same."""
    session, before, usual = chat.session, chat.session.dialogue, chat.session.sampling
    first = secrets.randbelow(1 << 31) if usual.seed is None else usual.seed
    for number in range(count):
        sample = Sample(number + 1, count, (first + number) % SEEDS)
        session.become(before)
        session.use(session.model, sampling=replace(usual, seed=sample.seed), ending=session.ending)
        yield sample


def _as_json(
    chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, asked: Turn, request: Request,
    failures: Failures, on_end: OnEnd,
) -> None:  # fmt: skip
    from phicli.commands.answer_data import all_data, last_data, whole_answer
    from phicli.ui.answer import chat_data
    from phicli.ui.envelope import print_result

    first: dict[str, Any] = {}
    taken: list[dict[str, Any]] = []
    for sample in _samples(chat, wanted.samples or 1):
        with failures.of(sample):
            try:
                answer = whole_answer(chat, terminal, status, wanted, asked)
            except KeyboardInterrupt:
                raise UserInterruptError("interrupted", data={**chat_data(chat), "samples": taken}) from None
            request.check(chat)
            first = first or all_data(chat, wanted, None, request)
            taken.append(sample.data | last_data(chat, wanted, request))
            on_end(answer, wanted.stats)
    failures.require_none({**(first or chat_data(chat)), "samples": taken})
    print_result(terminal, "chat", {**first, "samples": taken})


def _as_events(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, request: Request, failures: Failures,
    on_end: OnEnd,
) -> None:  # fmt: skip
    from phicli.commands.answer_data import answer_as_events
    from phicli.ui.envelope import json_line

    for sample in _samples(chat, wanted.samples or 1):
        known = len(failures.data)
        with failures.of(sample):
            answer = answer_as_events(chat, terminal, wanted, asked, None, request, sample.data)
            if answer is not None:
                on_end(answer, wanted.stats)
        for failure in failures.data[known:]:
            terminal.write(json_line(terminal, {"event": "failed", **failure}))
    failures.require_none({})
