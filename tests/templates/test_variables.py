"""The values of ``--var``."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.settings.file import parse
from phicli.templates.reading import read_template
from phicli.templates.types import Template, TemplateFile
from phicli.templates.variables import values_of

TEMPLATE = 'prompt = "{input} {language} {tone}"\nsystem = "{role}"\n[variables]\ntone = "plain"'


@pytest.fixture
def template() -> Template:
    return read_template(TemplateFile("my", "yours", parse(Path("my.toml"), TEMPLATE)))


def test_what_was_typed_wins_over_the_default(template: Template) -> None:
    values = values_of(template, ["language=German", "role=a=b {input}"])
    assert values == {"tone": "plain", "language": "German", "role": "a=b {input}"}
    assert values_of(template, ["tone=", "language=x", "role=y"])["tone"] == ""


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ([], "requires a value for role, language", "add --var role=VALUE --var language=VALUE"),
        (["role=x"], "requires a value for language", "add --var language=VALUE"),
        (["language"], "--var language has no value", "--var language=VALUE"),
        ([""], "has no value", "--var name=VALUE"),
        (["langauge=x"], "has no variable 'langauge'", "did you mean language?"),
        (["=x"], "has no variable ''", "its variables are role, language, tone"),
        (["input=x"], "--var input cannot be given", "give it as the prompt"),
        (["language=x", "language=y"], "--var language was given twice", "leave out one"),
    ],
)
def test_mistakes(template: Template, typed: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        values_of(template, typed)
    assert message in caught.value.message
    assert hint in caught.value.hint
