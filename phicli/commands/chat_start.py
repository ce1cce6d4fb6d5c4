"""What ``phi chat`` begins with: a model and a prompt, or a saved conversation that brings its model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from phicli.commands.options import was_typed
from phicli.errors import NotFoundError, UnsupportedModelError, UsageError

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue
    from phicli.chat.remote import NamedRemote
    from phicli.chat.store.sessions import SavedSession
    from phicli.commands.session_options import SessionOptions


@dataclass(frozen=True, slots=True)
class Start:
    """The model and the prompt that are meant, None where absent, and the saved conversation that is continued.

    ``remote`` is the model where it is one of a remote; without a ``model`` that was last used.
    """

    model: str | None
    prompt: str | None
    saved: SavedSession | None = None
    remote: NamedRemote | None = None

    def dialogue(self, before: int | None) -> Dialogue | None:
        """What was said, up to question number ``before``; None for a conversation that begins.

        Raises:
            UsageError: there is no such question.
        """
        if self.saved is None:
            return None
        dialogue, count = self.saved.dialogue, len(self.saved.dialogue.turns)
        if before is None:
            return dialogue
        if before > count + 1:
            name = self.saved.info.name
            raise UsageError(
                f"--before {before}: the session {name} has only {count} questions",
                f"see them: phi sessions show {name}",
            )
        return dialogue.without_last(count + 1 - before)


def start_of(
    ctx: typer.Context, model: str | None, words: list[str] | None, session: SessionOptions, *,
    template_model: str | None = None,
) -> Start:  # fmt: skip
    """What the command line means, and whether a remote is meant.

    Raises:
        NotFoundError: there is text in the place of the model and no default, or no session to continue.
        UsageError: the file of the remotes has an error.
    """
    start = _start(ctx, model, words, session, template_model)
    name = start.model
    if name is None:
        from phicli.plan.last_used import last_used

        with contextlib.suppress(UsageError):  # whoever needs the file of the model gets the error
            name = last_used()
    from phicli.commands.locating import remote_named

    return start if name is None else replace(start, remote=remote_named(name))


def _start(
    ctx: typer.Context, model: str | None, words: list[str] | None, session: SessionOptions, template_model: str | None
) -> Start:
    """What the command line means.

    With a session that exists, else with the model of a template, a first argument that names a model changes the
    model; anything else is the prompt.

    Raises:
        NotFoundError: there is text in the place of the model and no default, or no session to continue.
    """
    saved = _saved(session) if session.asked else None
    usual = template_model if saved is None else saved.info.model
    if usual is None:
        return Start(*model_and_prompt(model, words, lambda: _default_model(ctx)))
    first = model if was_typed(ctx, "model") else None
    if first is not None and names_a_model(first):
        return Start(first, None if words is None else " ".join(words), saved)
    prompt = [*([] if first is None else [first]), *(words or [])]
    return Start(usual, " ".join(prompt) if prompt else None, saved)


def names_a_model(text: str) -> bool:
    """Whether ``text`` is the name of a model: of a remote, of this machine, the catalog or the hub, or a path."""
    if _names_remote(text):
        return True
    from phicli.plan.locate import check_default

    try:
        check_default(text)
    except UnsupportedModelError:
        return True
    except (NotFoundError, UsageError):
        return False
    return True


def model_and_prompt(
    model: str | None, words: list[str] | None, default: Callable[[], str | None]
) -> tuple[str | None, str | None]:
    """The model and the prompt that are meant, None where absent.

    Where there is a ``default`` model, text that cannot be a model is the beginning of the prompt.

    Raises:
        NotFoundError: there is text in the place of the model, and no default.
    """
    prompt = None if words is None else " ".join(words)
    if not model or not model.strip() or _names_remote(model):
        return model, prompt
    from phicli.plan.locate import is_text

    if not is_text(model):
        return model, prompt
    text = model if prompt is None else f"{model} {prompt}"
    if (usual := default()) in (None, model):
        raise _no_model(text) if not words or not _is_known(words[-1]) else _model_last(model, words)
    return usual, text


def _names_remote(text: str) -> bool:
    """Whether ``text`` is a model of a configured remote, rather than a question that begins like one."""
    from phicli.commands.locating import remote_named

    return not any(map(str.isspace, text)) and remote_named(text) is not None


def _saved(session: SessionOptions) -> SavedSession | None:
    """The saved conversation; None for a name that is new."""
    from phicli.chat.store.sessions import Sessions
    from phicli.ui.terminal import Terminal

    sessions = Sessions(on_notice=Terminal.current().say)
    if session.last:
        return sessions.get("last")
    saved = sessions.find(session.name or "")
    if saved is None:
        from phicli.chat.store.names import checked_name

        checked_name(session.name or "")
    return saved


def _default_model(ctx: typer.Context) -> str | None:
    from phicli.commands.configured import value_set

    return value_set(ctx, "model")


def _is_known(word: str) -> bool:
    """Whether ``word`` is a model of the catalog or of a remote: nothing that a sentence may end with."""
    from phicli.catalog.resolve import resolve

    if _names_remote(word):
        return True
    with contextlib.suppress(NotFoundError):
        return bool(resolve(word))
    return False


def _model_last(first: str, words: list[str]) -> NotFoundError:
    from phicli.commands.unknown import quoted
    from phicli.plan.locate import shortened

    text = " ".join([first, *words[:-1]])
    shown = quoted(text) if text == shortened(text) else "PROMPT"
    return NotFoundError(
        f"the text {shortened(text)!r} was taken for the name of a model",
        f"put the model before the prompt: phi chat {words[-1]} {shown}",
    )


def _no_model(text: str) -> NotFoundError:
    from phicli.commands.unknown import quoted as in_quotes
    from phicli.plan.locate import shortened

    quoted = in_quotes(text) if text == shortened(text) else "PROMPT"
    return NotFoundError(
        f"the text {shortened(text)!r} was taken for the name of a model",
        f"put a model before it: phi chat tiny-phi {quoted}; see all models: phi list; "
        "or set a default model: phi config set model phi-4-mini",
    )
