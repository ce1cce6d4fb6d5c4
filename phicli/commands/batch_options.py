"""Options of ``phi batch``, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phicli.batch.types import INPUT_FORMATS, InputFormat
from phicli.commands.options import checked, complete_values
from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.batch.options import Answers, Words
    from phicli.commands.form_options import FormOptions
    from phicli.commands.tool_options import ToolOptions
    from phicli.templates.text import TemplateText
    from phicli.templates.types import Template


def read_format(typed: str) -> InputFormat:
    """The format that was ``typed``.

    Raises:
        UsageError: there is no such format.
    """
    name = typed.strip().lower()
    for known in INPUT_FORMATS:
        if name == known:
            return known
    raise UsageError(f"unknown --input-format: {typed!r}", f"choose one of: {', '.join(INPUT_FORMATS)}")


Input = Annotated[
    str,
    typer.Argument(
        metavar="IN",
        help="Prompts: a file of JSON lines, CSV, a prompt per line, or an OpenAI batch file; - reads standard input.",
        show_default=False,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out", "--output", "-o", help="File to write: .jsonl, or .csv for a table. Required.", show_default=False
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt", "-p", help="Question with keys or columns in braces, e.g. 'Translate: {text}'.", show_default=False
    ),
]
InputFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        help="Format of IN: jsonl, csv, tsv, lines or openai [default: by its name and first line].",
        autocompletion=complete_values(*INPUT_FORMATS),
        callback=checked(read_format),
        show_default=False,
    ),
]
Parallel = Annotated[
    int | None,
    typer.Option("--parallel", min=1, max=256, help="Lines to ask at a time [default: depends on cores and memory]."),
]
RemoteNames = Annotated[
    list[str] | None,
    typer.Option(
        "--remote",
        help="Ask this remote, which knows MODEL by that name; NAME/MODEL names another one. Can be repeated.",
        show_default=False,
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask the lines that failed again.")]
Restart = Annotated[bool, typer.Option("--restart", help="Discard OUT and its journal, and ask all lines again.")]


def out_path(typed: str | None) -> Path:
    """The output that was ``typed``.

    Raises:
        UsageError: there is none.
    """
    from phicli.paths import expand

    if typed is None or not typed.strip():
        problem = "--out is missing" if typed is None else "--out is empty"
        raise UsageError(problem, "name the file to write, e.g. --out answers.jsonl")
    return Path(typed) if typed == "-" else expand(typed)


def prompt_text(typed: str | None) -> TemplateText | None:
    """The text of ``--prompt`` with its variables.

    Raises:
        UsageError: it is empty, not UTF-8, or has a brace that stands alone.
    """
    from phicli.plan.chat_options import check_text
    from phicli.templates.text import BraceError, read_text

    if typed is None:
        return None
    if not check_text("--prompt", typed).strip():
        raise UsageError("--prompt is empty", "give the question, e.g. --prompt 'Translate: {text}'")
    try:
        return read_text(typed)
    except BraceError as error:
        hint = "write {{ and }} for braces in the text, and {name} for a key or a column"
        raise UsageError(f"--prompt has a single brace: {error}", hint) from None


@dataclass(frozen=True, slots=True)
class BatchTemplate:
    """The template of a batch: its variables are filled later, from each line.

    ``options`` are values of the fields of :class:`~phicli.plan.chat_options.ChatOptions`; ``schema`` is what
    ``--schema`` takes.
    """

    template: Template
    options: Mapping[str, Any]
    schema: str | None

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self.template.model


def batch_template(ctx: Any, typed: str | None) -> BatchTemplate | None:
    """The template that was ``typed``, None where none was.

    Raises:
        NotFoundError: there is no such template.
        UsageError: it has an error.
    """
    if typed is None:
        return None
    from phicli.commands.chosen_template import checked_options, schema_of
    from phicli.templates.finding import find_template
    from phicli.templates.reading import read_template

    template = read_template(find_template(typed))
    return BatchTemplate(template, checked_options(template, ctx.command), schema_of(template))


def words_of(
    prompt: str | None, worded: BatchTemplate | None, system: str | None, variables: Sequence[str] | None
) -> Words:
    """The texts that make the questions.

    Raises:
        UsageError: a variable has no value, occurs twice, or is in no text.
    """
    from phicli.batch.options import Words
    from phicli.templates.text import TemplateText

    template = None if worded is None else worded.template
    asked = prompt_text(prompt)
    message = TemplateText((system,)) if system is not None else None if template is None else template.system
    words = Words(asked, template.prompt if template else None, message, defaults=template.defaults if template else {})
    texts = [text for text in (words.prompt, words.template, words.system) if text is not None]
    known = [*dict.fromkeys(name for text in texts for name in text.names)]
    return Words(words.prompt, words.template, words.system, _values(variables or (), known), words.defaults)


def _values(typed: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    from phicli.plan.chat_options import check_text
    from phicli.settings.file import did_you_mean

    values: dict[str, str] = {}
    for text in typed:
        name, equals, value = check_text("--var", text).partition("=")
        if not equals:
            raise UsageError(f"--var {text} has no value", f"write it as --var {text or 'name'}=VALUE")
        if name not in known:
            close = did_you_mean(name, known) or f"the variables are {', '.join(known) or 'none'}"
            raise UsageError(f"--var {name}: there is no variable {{{name}}} in the prompt", close)
        if name in values:
            raise UsageError(f"--var {name} was given twice", "leave out one of them")
        values[name] = value
    return values


def answers_of(form: FormOptions, tools: ToolOptions, say: Any) -> Answers:
    """What every answer must be; files are read and checked here, before anything is loaded.

    Raises:
        PhiError: a file cannot be read, or is wrong; or options contradict each other.
    """
    from phicli.answering.formed import RETRIES
    from phicli.batch.options import Answers
    from phicli.commands.tool_use import tools_of

    if form.asked and tools.files and tools.choice != "none":
        raise UsageError("an answer with a form cannot call tools", "leave out --tools, or add --tool-choice none")
    if tools.force:
        raise UsageError("--force-tools is not possible in a batch", "use a model that was trained to call tools")
    make, use = form.read(), tools_of(tools, say)
    made = None if make is None else make()
    if use is not None:
        from phicli.tools.checking import check_schemas

        check_schemas(use.tools)
    data = form_data(form, made)
    return Answers(
        made, data, () if use is None else use.tools, tools.choice, RETRIES if form.retries is None else form.retries
    )


def form_data(typed: FormOptions, made: Any) -> dict[str, Any]:
    """What the form is: the content of a schema or a grammar, not the name of its file."""
    from phicli.structured.form import SchemaForm

    if made is None:
        return {}
    if isinstance(made, SchemaForm):
        return {"schema": made.schema}
    words = {name: value for name, value in typed.to_data().items() if name in ("choice", "regex")}
    return {**words, "text": made.constraint.text}
