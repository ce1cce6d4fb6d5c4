"""The answer to the only question of ``phi chat``, where a form of it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from phicli.answering.formed import RETRIES, FormedModel, FormError
from phicli.chat.open import OpenChat
from phicli.commands.form_options import FormOptions
from phicli.commands.recording import Recording
from phicli.engine.abilities import abilities_of_sampling
from phicli.engine.constraint import Constraint
from phicli.engine.types import Sampling
from phicli.structured.form import Form
from phicli.ui.answer import answer_data, chat_data


@contextmanager
def formed(
    chat: OpenChat, make: Callable[[], Form], options: FormOptions, samples: int = 1,
    recording: Recording | None = None,
) -> Iterator[None]:  # fmt: skip
    """The next answers of ``chat`` have the form that ``make`` makes of ``options``, while the model loads.

    With several ``samples``, whose seeds follow each other, no further attempt at one has the seed of another. A
    question without such an answer is not saved in the session of ``recording``.

    Raises:
        UsageError: the schema is wrong, or the engine cannot hold the form.
        FormError: no answer had the form; its data are those of ``--json``.
    """
    form = make()
    constraints_of(chat, form)
    many, facts = RETRIES if options.retries is None else options.retries, chat.session.facts
    chat.session.formed = lambda model: FormedModel(model, form, many, seed_step=samples)
    chat.session.facts = lambda answer, sampling: {**(facts(answer, sampling) or {}), "form": options.to_data()}
    try:
        yield
    except FormError as error:
        _forget_question(chat, recording)
        error.data = {**chat_data(chat), **answer_data(error.answer), **(error.data or {})}
        raise


def _forget_question(chat: OpenChat, recording: Recording | None) -> None:
    """Go back to what was said before the question; a session that began with it is removed."""
    chat.session.become(chat.session.dialogue.without_last())
    if recording is not None and not chat.session.dialogue.turns:
        recording.forget()


def constraints_of(chat: OpenChat, form: Form) -> tuple[Constraint, ...]:
    """What the engine of ``chat`` is asked to hold an answer to; where it cannot, the next one.

    Raises:
        UsageError: the engine can hold no answer to anything like it.
    """
    constraints = form.constraints(chat.session.sampling.max_tokens)
    for constraint in constraints:
        for ability in abilities_of_sampling(Sampling(constraint=constraint)):
            chat.opened.require(ability)
    return constraints


def parsed_data(chat: OpenChat) -> dict[str, Any]:
    """What ``--json`` has more of an answer that has a form."""
    answer = chat.session.last
    return {} if answer is None else {"parsed": answer.parsed, "attempts": answer.attempts}
