"""What a batch is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from phicli.answering.asked import NOTHING
from phicli.answering.formed import RETRIES
from phicli.batch.types import InputFormat
from phicli.engine.starting import EngineChoice
from phicli.engine.types import SAMPLING_LIMITS
from phicli.jobs.locking import lock_of
from phicli.plan.chat_options import ChatOptions
from phicli.remotes.types import RemoteModelName
from phicli.structured.form import Form
from phicli.templates.text import TemplateText
from phicli.tools.types import Tool

DEFAULT: Final = EngineChoice()


@dataclass(frozen=True, slots=True)
class Words:
    """The texts that make the questions: see :class:`~phicli.batch.wording.Wording`."""

    prompt: TemplateText | None = None
    template: TemplateText | None = None
    system: TemplateText | None = None
    values: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    defaults: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    def to_data(self) -> dict[str, Any]:
        """As the identity of a batch has it."""
        texts = {"prompt": self.prompt, "template": self.template, "system message": self.system}
        data: dict[str, Any] = {name: None if text is None else list(text.parts) for name, text in texts.items()}
        return {**data, "variables": {**self.defaults, **self.values}}


@dataclass(frozen=True, slots=True)
class Answers:
    """What every answer of a batch must be.

    Attributes:
        form: None for any text.
        form_data: the form that was typed, as JSON.
        tools: that are declared to the model.
        tool_choice: ``auto``, ``none``, ``required``, or the name of a tool.
        retries: further attempts at an answer without its form.
    """

    form: Form | None = None
    form_data: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    retries: int = RETRIES


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """A batch.

    Attributes:
        source: the input: a path, or ``-``.
        out: the output.
        input_format: of the input; None for what its name and its first line say.
        model: that was typed, or that of a setting.
        remotes: models of remotes that share the work; none for a model of this machine.
        options: of every answer, and of the engine.
        words: the texts that make the questions.
        answers: what the answers must be.
        engine: None for the default one.
        parallel: requests at a time; None leaves it to the machine.
        retry_failed: lines that failed are asked again.
        restart: everything is asked again, and the output is replaced.
        memory_check: refuse a model that seems too large.
    """

    source: str
    out: Path
    model: str
    options: ChatOptions
    words: Words = Words()
    answers: Answers = Answers()
    input_format: InputFormat | None = None
    remotes: tuple[RemoteModelName, ...] = ()
    engine: EngineChoice = DEFAULT
    parallel: int | None = None
    retry_failed: bool = False
    restart: bool = False
    memory_check: bool = True

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling options that were typed, by the fields of :class:`~phicli.engine.types.Sampling`."""
        return {name: value for name in SAMPLING_LIMITS if (value := getattr(self.options, name, None)) is not None}

    @property
    def journal(self) -> Path:
        """Where the results are saved first."""
        return self.out.with_name(f"{self.out.name}.journal")

    @property
    def lock(self) -> Path:
        """What a command has while it writes the journal."""
        return lock_of(self.journal)
