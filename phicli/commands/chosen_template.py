"""The template of ``phi chat``: found, its variables filled in, its values checked as those of the options are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from phicli.chat.dialogue import Turn
from phicli.commands.keys import taken
from phicli.commands.options import was_typed
from phicli.errors import NotFoundError, UnsupportedModelError, UsageError
from phicli.paths import expand
from phicli.plan.chat_options import ChatOptions, check_text
from phicli.templates.finding import find_template
from phicli.templates.reading import read_template
from phicli.templates.text import INPUT, TemplateText
from phicli.templates.types import Template
from phicli.templates.variables import values_of

if TYPE_CHECKING:
    from phicli.commands.command import Command


@dataclass(frozen=True, slots=True)
class ChosenTemplate:
    """A template without variables but ``{input}``.

    ``options`` are values of the fields of :class:`~phicli.plan.chat_options.ChatOptions`. ``schema`` is the schema of
    the answer, JSON or the path of a file; None for none.
    """

    name: str
    model: str | None = None
    prompt: TemplateText | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: str | None = None

    @property
    def takes_input(self) -> bool:
        """Whether the prompt has a place for the input."""
        return self.prompt is not None and self.prompt.takes_input

    def worded(self, turn: Turn) -> Turn:
        """The question of a person in the words of the template.

        Where the prompt begins with the input, files and piped text stay attachments.
        """
        if self.prompt is None or not self.prompt.takes_input:
            return turn
        behind = self.prompt.behind_input
        if not turn.question and behind is not None:
            return replace(turn, question=behind.whole())
        return Turn(self.prompt.whole({INPUT: turn.text}))

    def over(self, ctx: Any, options: ChatOptions) -> ChatOptions:
        """``options`` with the values of the template for those that were not typed."""
        return replace(options, **{name: value for name, value in self.options.items() if not was_typed(ctx, name)})


def chosen_template(ctx: Any, typed: str, variables: Sequence[str]) -> ChosenTemplate:
    """The template that was ``typed`` for the command of ``ctx``.

    Raises:
        NotFoundError: there is no such template.
        UsageError: it has an error, or a variable has no value or is not in it.
    """
    for text in variables:
        check_text("--var", text)
    template = read_template(find_template(typed))
    options = checked_options(template, ctx.command)
    values = values_of(template, variables)
    system = {} if template.system is None else {"system": template.system.whole(values)}
    prompt = None if template.prompt is None else template.prompt.filled(values)
    return ChosenTemplate(template.file.name, template.model, prompt, {**options, **system}, schema_of(template))


def schema_of(template: Template) -> str | None:
    """The schema of ``template`` as ``--schema`` takes it; the path of a file is relative to that of the template.

    It is never the name of a Python module: a template of somebody else must not run code.
    """
    schema = template.schema
    if isinstance(schema, Mapping):
        return json.dumps(schema)
    if schema is None or schema.lstrip().startswith("{"):
        return schema
    return str((template.file.path.parent / expand(schema)).absolute())


def checked_options(template: Template, chat: Command) -> dict[str, Any]:
    """The options of ``template`` as the command ``chat`` takes them.

    Raises:
        UsageError: the command does not take a value, or there is no such model; names the line.
    """
    import typer

    file, ctx = template.file, typer.Context(chat)
    parameters = {one.name: one for one in chat.get_params(ctx)}
    values = {}
    for name, value in template.options.items():
        try:
            values[name] = _checked(parameters[name], ctx, value)
        except UsageError as error:
            raise file.about(name, value, error) from None
    _check_model(template)
    return values


def _checked(parameter: Any, ctx: Any, value: Any) -> Any:
    typed = taken(parameter, value, lambda plain: parameter.process_value(ctx, plain), from_file=True)
    options: dict[str, Any] = {parameter.name: tuple(typed) if isinstance(typed, list) else typed}
    try:
        ChatOptions(**options)
    except UsageError as error:
        raise UsageError(f"is not valid: {error.message}", error.hint) from None
    return options[parameter.name]


def _check_model(template: Template) -> None:
    if template.model is None:
        return
    from phicli.commands.locating import check_usable

    try:
        check_usable(template.model)
    except (NotFoundError, UnsupportedModelError, UsageError) as error:
        about = UsageError(f"is not valid: {error.message}", error.hint)
        raise template.file.about("model", template.model, about) from None
