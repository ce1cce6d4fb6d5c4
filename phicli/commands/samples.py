"""Several answers of ``phi chat`` to one question."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from phicli.engine.types import SAMPLING_LIMITS
from phicli.errors import CheckFailedError, UserInterruptError

if TYPE_CHECKING:
    from phicli.answering.types import Answer
    from phicli.chat.dialogue import Turn
    from phicli.chat.open import OpenChat
    from phicli.commands.conversation_options import Conversation
    from phicli.commands.request import Request
    from phicli.ui.terminal import Terminal

    OnEnd = Callable[[Answer, bool], None]

_SEEDS: Final = int(SAMPLING_LIMITS["seed"][1]) + 1


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

    @contextmanager
    def named_in_errors(self, taken: list[dict[str, Any]] | None = None) -> Iterator[None]:
        """Within the context, a check that fails names this answer, and has the answers that were ``taken`` before."""
        try:
            yield
        except CheckFailedError as error:
            error.message = f"sample {self.number} of {self.count}: {error.message}"
            if taken is not None:
                error.data = {**(error.data or {}), "samples": taken}
            raise


def answer_samples(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, request: Request,
    print_answer: Callable[[Turn, OnEnd, Request], None], on_end: OnEnd,
) -> None:  # fmt: skip
    """Print the answers to ``asked``, one after another.

    Raises:
        UserInterruptError: Ctrl-C; has the answers that there are.
        CheckFailedError: an answer is not as it was asked for; none comes behind it.
    """
    if chat.session.sampling.temperature == 0 and (wanted.samples or 1) > 1 and not wanted.quiet:
        terminal.say("note: at temperature 0 all samples are equal; add --temperature 0.7")
    if wanted.as_json:
        _as_json(chat, terminal, wanted, asked, request, on_end)
        return
    for sample in _samples(chat, wanted.samples or 1):
        with sample.named_in_errors():
            if wanted.events:
                _as_events(chat, terminal, wanted, asked, request, sample, on_end)
                continue
            if sample.number > 1 and not wanted.form.asked:
                terminal.write("\n")
            if terminal.stdout.isatty() and not wanted.quiet:
                terminal.say(f"sample {sample.number} of {sample.count}, seed {sample.seed}")
            print_answer(asked, on_end, request)


def _samples(chat: OpenChat, count: int) -> Iterator[Sample]:
    """Prepare ``chat`` for each of the answers in turn: what was said before is the same."""
    session, before, usual = chat.session, chat.session.dialogue, chat.session.sampling
    first = secrets.randbelow(1 << 31) if usual.seed is None else usual.seed
    for number in range(count):
        sample = Sample(number + 1, count, (first + number) % _SEEDS)
        session.become(before)
        session.use(session.model, sampling=replace(usual, seed=sample.seed), ending=session.ending)
        yield sample


def _as_json(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, request: Request, on_end: OnEnd
) -> None:
    from phicli.answering.pool import whole
    from phicli.commands.answer_data import all_data, last_data
    from phicli.ui.answer import chat_data
    from phicli.ui.envelope import print_result

    first: dict[str, Any] = {}
    taken: list[dict[str, Any]] = []
    for sample in _samples(chat, wanted.samples or 1):
        with sample.named_in_errors(taken):
            try:
                answer = whole(chat.session.ask(asked.question, asked.attachments, asked.steps))
            except KeyboardInterrupt:
                raise UserInterruptError("interrupted", data={**chat_data(chat), "samples": taken}) from None
            request.check(chat)
        first = first or all_data(chat, wanted, None, request)
        taken.append(sample.data | last_data(chat, wanted, request))
        on_end(answer, wanted.stats)
    print_result(terminal, "chat", {**first, "samples": taken})


def _as_events(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, request: Request, sample: Sample,
    on_end: OnEnd,
) -> None:  # fmt: skip
    from phicli.commands.answer_data import answer_as_events

    answer = answer_as_events(chat, terminal, wanted, asked, None, request, sample.data)
    if answer is not None:
        on_end(answer, wanted.stats)
