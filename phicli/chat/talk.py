"""A conversation in a terminal, as the commands of the REPL see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from phicli.answering.types import Answering
from phicli.chat.dialogue import Attachment, Dialogue
from phicli.chat.screen import ReplScreen
from phicli.chat.session import ChatSession
from phicli.engine.types import Sampling
from phicli.errors import NetworkError

ExportForm = Literal["markdown", "json", "openai", "lines"]
"""A Markdown document, JSON with everything, OpenAI messages in one object, or one such message per line."""


class Record(Protocol):
    """Where the running conversation is saved."""

    @property
    def saves(self) -> bool:
        """Whether what is said from now on is saved."""

    @property
    def name(self) -> str | None:
        """The name of the saved session; None where nothing is saved."""

    def begin(self) -> None:
        """From now on another session is saved; this one stays as it is."""

    def forget(self) -> str | None:
        """Remove the saved session; the conversation goes on unsaved. Returns its name, None where there was none."""

    def save_as(self, name: str, dialogue: Dialogue) -> None:
        """Save the conversation under ``name`` from now on.

        Raises:
            PhiError: the name cannot be used, or nothing can be written.
        """

    def load(self, name: str) -> None:
        """Go on with the saved session ``name``, and with its model; where that fails nothing has changed.

        Raises:
            PhiError: there is no such session, or its model cannot be loaded.
        """

    def lines(self) -> Sequence[str]:
        """The newest saved sessions, one per line.

        Raises:
            PhiError: they cannot be read.
        """


class Models(Protocol):
    """The model of the conversation, which can be changed."""

    @property
    def name(self) -> str:
        """What the model is called on the command line."""

    def change(self, name: str) -> None:
        """Go on with the model called ``name``; if that cannot be loaded, the one before goes on.

        Raises:
            PhiError: there is no such model, or it cannot be loaded.
        """

    def change_adapters(self, typed: Sequence[str]) -> None:
        """Go on with these adapters, as ``--adapter`` takes them; if they cannot be used, those before go on.

        Raises:
            PhiError: one of them cannot be used, or the model is one of a remote.
        """

    def adapters(self) -> Sequence[str]:
        """The adapters in use, as they are typed.

        Raises:
            UsageError: the model is one of a remote.
        """

    def other_adapters(self) -> Sequence[str]:
        """The names of the adapters that fit the model and are not in use. Raises as :meth:`adapters`."""

    def facts(self) -> Sequence[tuple[str, str]]:
        """The model, its file, its engine and the memory that the engine takes: each with its label."""

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        """What the engine ignores of ``sampling``, a sentence each."""


class Policies(Protocol):
    """What happens when the context is full."""

    @property
    def policy(self) -> str:
        """The policy in force, one of :data:`~phicli.plan.chat_options.POLICIES`."""

    def set(self, policy: str | None) -> None:
        """From now on ``policy`` counts; None is the one that the conversation began with."""


class Code(Protocol):
    """A code block of an answer."""

    @property
    def language(self) -> str:
        """What stands behind its fence; may be empty."""

    @property
    def text(self) -> str:
        """The code, without its fences."""


class Exports(Protocol):
    """Writes conversations into files."""

    def write(self, path: Path, form: ExportForm, name: str, dialogue: Dialogue) -> None:
        """Write ``dialogue``, which is called ``name``, into ``path``; a file that is there is replaced.

        Raises:
            PhiError: it cannot be written.
        """


class Files(Protocol):
    """Reads the files that a person names."""

    def mentioned(self, line: str) -> tuple[str, tuple[Attachment, ...]]:
        """A line without the marks of the files that it mentions (``@path``), and those files.

        Raises:
            PhiError: a file cannot be sent.
        """

    def read(self, path: str) -> Attachment:
        """The text of a file.

        Raises:
            PhiError: it cannot be sent.
        """


class Talk:
    """A conversation, its terminal, and what its commands act on.

    Args:
        session: the conversation.
        screen: the terminal.
        models: the model, which can be changed.
        record: where the conversation is saved.
        files: reads files that are sent.
        policies: what happens when the context is full.
        exports: writes the conversation into files.
        code_blocks: the code blocks of an answer, numbered from 1 as they are printed.
        pending: files that go with the next question.
    """

    def __init__(
        self,
        session: ChatSession,
        screen: ReplScreen,
        *,
        models: Models,
        record: Record,
        files: Files,
        policies: Policies,
        exports: Exports,
        code_blocks: Callable[[str], Sequence[Code]],
        pending: Sequence[Attachment] = (),
    ) -> None:
        self.session = session
        self.screen = screen
        self.models = models
        self.record = record
        self.files = files
        self.pending = tuple(pending)
        self.policies = policies
        self.exports = exports
        self.code_blocks = code_blocks

    def ask(self, line: str) -> None:
        """Send what was typed, with the files that wait for it, and show the answer."""
        question, attachments = self.files.mentioned(line)
        waiting, self.pending = self.pending, ()
        self.show(self.session.ask(question, (*waiting, *attachments)))

    def edit(self, line: str) -> None:
        """Send the last question again in other words; its files go with it."""
        question, attachments = self.files.mentioned(line)
        self.show(self.session.edit(question, attachments))

    def show(self, answering: Answering) -> None:
        """Show an answer; Ctrl-C ends it, and what was said so far stays part of the conversation.

        Raises:
            PhiError: there is none. For one of the network, the hint says how to ask again when it works.
        """
        try:
            self.screen.show(answering)
        except NetworkError as error:
            error.hint = f"{error.hint}; to ask again: /retry" if error.hint else "to ask again: /retry"
            raise
        except KeyboardInterrupt:
            answering.close()
            self.screen.tell("(stopped)")

    def start_over(self, system: str | None) -> None:
        """Begin a new conversation; the one before stays saved."""
        self.record.begin()
        self.session.become(Dialogue(system))
