"""A template is read completely, or refused with the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.templates.finding import read_file
from phicli.templates.reading import KEYS, read_template
from phicli.templates.types import Template

WHOLE = '''
description = "Translate  a\\ntext"
system = "You are a {job}."
prompt = """
{input}

Translate it into {language}, in {lines} lines.
"""
model = "phi-4-mini"
temperature = 0.2
stop = ["END"]
max_tokens = 20
schema = { type = "object", required = ["a"] }

[variables]
job = "translator"
lines = 3
'''


def template(folder: Path, text: str) -> Template:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return read_template(read_file("my", path, "yours"))


def test_everything_that_a_template_can_have(tmp_path: Path) -> None:
    read = template(tmp_path, WHOLE)
    assert read.description == "Translate a text"
    assert read.system is not None
    assert read.prompt is not None
    assert read.prompt.whole({"input": "x", "language": "y", "lines": "3"}) == "x\n\nTranslate it into y, in 3 lines."
    assert read.variables == ("job", "language", "lines")
    assert read.takes_input
    assert read.defaults == {"job": "translator", "lines": "3"}
    assert read.model == "phi-4-mini"
    assert read.options == {"temperature": 0.2, "stop": ["END"], "max_tokens": 20}
    assert read.schema == {"type": "object", "required": ["a"]}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('prompt = "x"\nsytem = "y"', 2, "sytem is not a key of a template"),
        ('prompt = "x"\ntop-p = 1', 2, "top-p is not a key"),
        ('prompt = "x"\n[chat]\nseed = 1', 2, "chat is not a key"),
        ("prompt = 5", 1, "prompt is not a string"),
        ('prompt = ["x"]', 1, "prompt is not a string"),
        ('\nprompt = " "', 2, "prompt is empty"),
        ('prompt = "x"\nmodel = ""', 2, "model is empty"),
        ('prompt = "x"\nmodel = true', 2, "model is not a string"),
        ('prompt = "say {x"', 1, "prompt has a single brace: say {x"),
        ('system = "}"', 1, "system has a single brace: }"),
        ('system = "{input}"\nprompt = "x"', 1, "system contains {input}"),
        ('prompt = "{x}"\nvariables = 3', 2, "variables is not a table"),
        ('prompt = "{x}"\n[variables]\nx = true', 3, "x, which is not a string"),
        ('prompt = "{x}"\n[variables]\nx = ["a"]', 3, "x, which is not a string"),
        ('prompt = "{x}"\n[variables]\nX = "a"', 3, "neither system nor prompt contains {X}"),
        ('prompt = "{input}"\n[variables]\ninput = "a"', 3, "'input', which cannot be the name"),
        ('prompt = "{x}"\n[variables]\n"a b" = "a"', 3, "'a b', which cannot be the name"),
        ('prompt = "x"\nschema = 3', 2, "schema is not a string"),
        ('prompt = "x"\n[schema]\ndefault = 2026-01-01', 2, "contains 2026-01-01, which JSON does not have"),
        ('prompt = "x"\n[schema]\nenum = [1, [inf]]', 2, "contains inf"),
        ('prompt = "x"\n"a b" = 1', 2, '"a b" is not a key'),
        ("", 1, "prompt is missing"),
        ('description = "x"', 1, "prompt is missing"),
        ('prompt = "x"\nprompt = "y"', 2, "cannot overwrite a value"),
        ("prompt = x", 1, "invalid value"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        template(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 'my.toml'}, line {line}: ")
    assert said in caught.value.message
    assert caught.value.hint.endswith("fix it: phi templates edit my")


def test_close_names(tmp_path: Path) -> None:
    for text, meant in [
        ('promt = "x"', "did you mean prompt?"),
        ('top-p = 1\nprompt = "x"', "did you mean top_p?"),
        ('prompt = "{language}"\n[variables]\nlangauge = "x"', "did you mean language?"),
        ('prompt = "x"\n[variables]\nseed = 1', "to set seed of the template, write it above [variables]"),
        ('prompt = "x"\nqqq = 1', f"the keys are {', '.join(KEYS)}"),
    ]:
        with pytest.raises(UsageError, match=r"line \d") as caught:
            template(tmp_path, text)
        assert meant in caught.value.hint
    with pytest.raises(UsageError) as caught:
        template(tmp_path, 'prompt = "{"')
    assert "write {{ and }} for braces in the text" in caught.value.hint


def test_a_template_that_only_samples_or_only_sets_the_system(tmp_path: Path) -> None:
    assert template(tmp_path, "temperature = 1").prompt is None
    assert not template(tmp_path, 'system = "Be brief."').takes_input
