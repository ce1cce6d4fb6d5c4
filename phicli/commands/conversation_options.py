"""What was typed for ``phi chat``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phicli.chat.files.text import TextEncoding
from phicli.commands.chat_start import Start
from phicli.commands.form_options import FormOptions
from phicli.commands.lender import Lender
from phicli.commands.session_options import SessionOptions
from phicli.commands.tool_options import NO_TOOLS, ToolOptions
from phicli.engine.starting import EngineChoice
from phicli.plan.chat_options import ChatOptions

if TYPE_CHECKING:
    from phicli.commands.chosen_template import ChosenTemplate


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The files that go with the first question, and how they and piped text become text.

    ``encoding`` is Python's name of one, None for UTF-8. With ``yes`` secret-looking files are not asked about.
    """

    names: tuple[str, ...] = ()
    encoding: str | None = None
    lossy: bool = False
    yes: bool = False

    @property
    def text_encoding(self) -> TextEncoding:
        """How bytes become text."""
        return TextEncoding(self.encoding, self.lossy)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was typed: what it begins with, what is saved, the options, how to print.

    Engine and template are None where absent; the options have the values of the template.
    """

    start: Start
    session: SessionOptions
    files: FileOptions
    options: ChatOptions
    engine: EngineChoice | None
    template: ChosenTemplate | None
    as_json: bool
    stream: bool
    no_stdin: bool
    quiet: bool
    plain: bool = False
    memory_check: bool = True
    stats: bool = False
    verbose: bool = False
    interactive: bool = False
    form: FormOptions = field(default_factory=FormOptions)
    tools: ToolOptions = NO_TOOLS
    messages: str | None = None
    events: bool = False
    dry_run: bool = False
    logprobs: int | None = None
    samples: int | None = None
    lender: Lender = field(default_factory=Lender)
    adapters_typed: bool = False

    @property
    def policy(self) -> str | None:
        """What happens when the context is full: what was typed, else what was chosen for the session; else None."""
        saved = self.start.saved
        return self.session.on_overflow or (saved.on_overflow if saved is not None else None)

    @property
    def shortens(self) -> bool:
        """Whether the only question is sent without a part of the conversation when the context is full."""
        return self.policy in ("drop", "summarize")
