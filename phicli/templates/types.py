"""A template as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from phicli.errors import UsageError
from phicli.settings.file import SettingsFile, hint, toml_value
from phicli.settings.lines import written
from phicli.templates.text import INPUT, TemplateText

Origin = Literal["built-in", "yours", "file"]
"""Where a template is: in the package, in the folder of the settings, or in a file that was named by its path."""


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """The file of a template: the ``name`` by which it was asked for, its content, and where it is."""

    name: str
    origin: Origin
    content: SettingsFile

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.content.path

    @property
    def remedy(self) -> str:
        """How an error in it is corrected."""
        return f"fix it: phi templates edit {self.name}" if self.origin == "yours" else "fix the file"

    def refuse(self, key: str, what: str, remedy: str = "", *, variable: str = "") -> UsageError:
        """The error that ``key`` is wrong: ``what`` completes the sentence that begins with the key.

        ``variable`` is a key in the table ``key``, whose line is named.
        """
        place = self.content.place((key, variable) if variable else (key,))
        return UsageError(f"{place}: {written((key,))} {what}", hint(remedy, self.remedy))

    def about(self, key: str, value: Any, error: UsageError) -> UsageError:
        """The error that ``key`` cannot have this ``value``; ``error`` completes the sentence."""
        return self.refuse(key, f"= {toml_value(value)} {error.message}", error.hint)


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with a name.

    Attributes:
        file: where it was read.
        description: what it is for, in one line.
        system: the system message; None for none.
        prompt: the question; None where the person asks it.
        defaults: values of variables that need not be given.
        model: the model that answers; None for the usual one.
        options: values of options of ``phi chat``, as they are in the file: ``{"max_tokens": 200}``.
        schema: the schema of the answer: a table, JSON, or the path of a file; None for none.
    """

    file: TemplateFile
    description: str = ""
    system: TemplateText | None = None
    prompt: TemplateText | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | str | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that ``--var`` can give, in their order."""
        names = [name for text in (self.system, self.prompt) if text is not None for name in text.names]
        return tuple(name for name in dict.fromkeys(names) if name != INPUT)

    @property
    def takes_input(self) -> bool:
        """Whether the prompt has a place for the input."""
        return self.prompt is not None and self.prompt.takes_input
