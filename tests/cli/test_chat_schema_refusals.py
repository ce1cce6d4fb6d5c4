"""``phi chat`` refuses a form of the answer that cannot be, and says what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.commands.form_options import FormOptions
from tests.support.running import Phi

FRANCE = "What is the capital of France?"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--schema", '{"type": "strin"}'], 2, "the schema is wrong at /type: unknown type: 'strin'"),
        (["--schema", '{"type":'], 2, "--schema is not JSON: expecting value at line 1, column 9"),
        (["--schema", "none.json"], 3, "file not found: none.json"),
        (["--schema", "no_such_module:Model"], 2, "No module named 'no_such_module'"),
        (["--schema", '{"$ref": "https://example.org/x"}'], 2, "schemas are never downloaded"),
        (["--schema", '{"type": "integer", "minimum": 1e30}'], 2, "at /minimum: it is 1e+30, but the engine can only"),
        (["--schema", '{"enum": []}'], 2, "no answer can match the schema at /enum: it is empty"),
        (["--schema", '{"allOf": [{"$ref": "#"}]}'], 2, "refers to itself without an end"),
        (["--schema", ""], 2, "--schema is empty"),
        (["--schema", "[]"], 2, "--schema []: a schema is a JSON object, not a list"),
        (["--schema", "[{]"], 2, "--schema [{]: a schema is a JSON object, not a list"),
        (["--schema", '"a"'], 2, "a schema is a JSON object, not a string"),
        (["--schema", "5"], 2, "a schema is a JSON object, not a number"),
        (["--schema", "null"], 2, "a schema is a JSON object, not null"),
        (["--schema", "{"], 2, "--schema is not JSON"),
        (["--schema", "."], 2, ". is a folder"),
        (["--grammar", ""], 2, "--grammar is empty"),
        (["--choice", "one"], 2, "--choice one: only one word was given"),
        (["--choice", ""], 2, "--choice is empty"),
        (["--choice", ","], 2, "--choice is empty"),
        (["--choice", "Paris,,Rome"], 2, "--choice Paris,,Rome: a word between two commas is empty"),
        (["--choice", "a,"], 2, "a word between two commas is empty"),
        (["--choice", "a,b, a"], 2, "the word a occurs twice"),
        (["--regex", "("], 2, "--regex is not a regular expression"),
        (["--regex", "(?=a)ab"], 2, "--regex has what the engine cannot hold: lookaround"),
        (["--regex", "[[:alpha:]]{3}"], 2, "--regex has [ in a class, which the engine reads in another way"),
        (["--regex", r"\p{L}"], 2, r"--regex is not a regular expression: bad escape \p"),
        (["--grammar", "none.gbnf"], 3, "file not found: none.gbnf"),
        (["--schema", "{}", "--choice", "a,b"], 2, "--schema and --choice cannot be used together"),
        (["--retries", "3"], 2, "--retries requires a form of the answer"),
        (["--choice", "a,b", "--retries", "-1"], 2, "--retries -1 is not between 0 and 100"),
        (["--choice", "yes", "--choice", "no"], 2, "--choice no: only one word was given"),
        (["--choice", "a,b", "--interactive"], 2, "--interactive"),
    ],
)
def test_what_makes_no_sense_is_refused(phi: Phi, arguments: list[str], code: int, words: str) -> None:
    run = phi("chat", "tiny-phi", FRANCE, *arguments)
    assert (run.code, run.out) == (code, "")
    assert words in run.err
    assert "→" in run.err


def test_a_grammar_in_lark_needs_its_first_line(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "a.lark").write_text('start: "a"\n')
    run = phi("chat", "tiny-phi", FRANCE, "--grammar", str(tmp_path / "a.lark"))
    assert (run.code, run.out) == (2, "")
    assert "is not a grammar in GBNF, because no rule has ::=" in " ".join(run.err.split())
    assert "the first line of a grammar in Lark is %llguidance {}" in run.err


def test_the_engines_words_about_a_grammar(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("root ::= ((")
    run = phi("chat", "tiny-phi", FRANCE, "--grammar", str(tmp_path / "bad"))
    assert (run.code, run.out) == (2, "")
    assert "the engine cannot use the grammar: error parsing grammar: expecting ')'" in run.err


def test_a_form_needs_a_prompt(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", "--choice", "a,b")
    assert run.code == 2
    assert "prompt" in run.err


@pytest.mark.parametrize(
    ("form", "template", "hint"),
    [
        (FormOptions(schema="person.json"), None, "phi chat MODEL 'your question' --schema schema.json"),
        (FormOptions(choice="a,b"), None, "phi chat MODEL 'your question' --choice yes,no"),
        (FormOptions(json_object=True), None, "phi chat MODEL 'your question' --json-object"),
        (FormOptions(schema="{}"), "extract", "phi chat MODEL 'your text' --template extract"),
    ],
)
def test_without_a_prompt_the_next_step_is_about_what_was_typed(
    form: FormOptions, template: str | None, hint: str
) -> None:
    assert form.needs_prompt(template).hint == hint
