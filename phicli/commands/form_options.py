"""Options of ``phi chat`` for answers of a promised form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phicli.commands.options import was_typed
from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.structured.form import Form

Schema = Annotated[
    str | None,
    typer.Option(
        "--schema",
        help="Answer in JSON that matches a JSON Schema: a file, JSON text, or a pydantic model, e.g. "
        "person.json or models:Person.",
        show_default=False,
    ),
]
Choice = Annotated[
    str | None, typer.Option("--choice", help="Answer with one of these words, e.g. yes,no.", show_default=False)
]
Regex = Annotated[
    str | None,
    typer.Option("--regex", help="Answer with text that matches a regular expression, e.g. '[A-Z]{2}[0-9]{4}'."),
]
Grammar = Annotated[
    str | None,
    typer.Option("--grammar", help="Answer with text of a grammar: a file in GBNF or Lark.", show_default=False),
]
JsonObject = Annotated[bool, typer.Option("--json-object", help="Answer with a JSON object of any content.")]
Retries = Annotated[
    int | None,
    typer.Option(
        "--retries", min=0, max=100,
        help="Further attempts after an answer that does not match [default: 2].", show_default=False,
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FormOptions:
    """The form that was asked for, at most one; each is what was typed.

    Raises:
        UsageError: the options contradict each other.
    """

    schema: str | None = None
    choice: str | None = None
    regex: str | None = None
    grammar: str | None = None
    json_object: bool = False
    retries: int | None = None

    def __post_init__(self) -> None:
        names = [f"--{name.replace('_', '-')}" for name in _FORMS if getattr(self, name) not in (None, False)]
        if len(names) > 1:
            raise UsageError(f"{names[0]} and {names[1]} cannot be used together", "leave out one of them")
        if self.retries is not None and not names:
            raise UsageError("--retries requires a form of the answer", "add --schema, --choice or --regex")

    @property
    def asked(self) -> bool:
        """Whether a form was asked for."""
        return any(getattr(self, name) not in (None, False) for name in _FORMS)

    def needs_prompt(self, template: str | None) -> UsageError:
        """The error where there is no question; ``template`` is the name of the one that the schema is from, if any."""
        if template is not None:
            hint = f"phi chat MODEL 'your text' --template {template}"
            return UsageError(f"the template {template} needs a prompt, because its answer has a form", hint)
        name = next(name for name in _FORMS if getattr(self, name) not in (None, False))
        value = "" if self.json_object else f" {_EXAMPLES[name]}"
        hint = f"phi chat MODEL 'your question' --{name.replace('_', '-')}{value}"
        return UsageError("an answer with a form needs a prompt", hint)

    def to_data(self) -> dict[str, Any]:
        """What was typed, by the names of the options, as a saved session has it."""
        return {name: value for name in (*_FORMS, "retries") if (value := getattr(self, name)) not in (None, False)}

    def read(self) -> Callable[[], Form] | None:
        """Read what was typed, and return what makes the form of it; that imports jsonschema, so it is for later.

        Raises:
            PhiError: it cannot be read.
        """
        if self.schema is not None or self.json_object:
            from phicli.structured.reading import read_schema

            schema: Any = {"type": "object"} if self.schema is None else read_schema(self.schema)
            return lambda: _schema_form(schema)
        if not self.asked:
            return None
        from phicli.structured.grammars import choice_form, grammar_form, regex_form

        if self.choice is not None:
            form: Form = choice_form(self.choice)
        elif self.regex is not None:
            form = regex_form(self.regex)
        else:
            form = grammar_form(self.grammar or "")
        return lambda: form


_FORMS = ("schema", "choice", "regex", "grammar", "json_object")
_EXAMPLES = {"schema": "schema.json", "choice": "yes,no", "regex": "'[0-9]+'", "grammar": "answer.gbnf"}


def form_was_typed(ctx: typer.Context) -> bool:
    """Whether a form was typed, rather than given by a setting."""
    return any(was_typed(ctx, name) for name in _FORMS)


def _schema_form(schema: Any) -> Form:
    from phicli.structured.form import SchemaForm

    return SchemaForm(schema)
