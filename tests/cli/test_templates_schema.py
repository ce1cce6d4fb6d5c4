"""Templates whose answers have a schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.commands.templates.checking import checked_template
from phicli.errors import UsageError
from phicli.templates.finding import read_file
from tests.support.running import Phi

ASK = ("chat", "tiny-phi", "France", "--json", "-T")
PROMPT = 'prompt = "What is the capital of {input}?"\n'
CITY = '{"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}'


@pytest.mark.parametrize(
    "schema",
    [
        '[schema]\ntype = "object"\nrequired = ["city"]\nproperties.city.enum = ["Paris", "Rome"]\n',
        f"schema = '{CITY}'\n",
        "schema = 'schemas/city.json'\n",
    ],
    ids=["table", "JSON", "file"],
)
def test_the_answer_has_the_schema_of_the_template(phi: Phi, tmp_path: Path, schema: str) -> None:
    path = tmp_path / "capital.toml"
    path.write_text(PROMPT + schema)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "city.json").write_text(CITY)
    data = phi(*ASK, str(path)).json["data"]
    assert data["parsed"]["city"] in ("Paris", "Rome")
    assert phi("templates", "show", str(path)).code == 0


def test_a_form_that_was_typed_wins(phi: Phi, tmp_path: Path) -> None:
    path = tmp_path / "capital.toml"
    path.write_text(f"{PROMPT}schema = '{CITY}'\n")
    assert phi(*ASK, str(path), "--choice", "Oslo,Bern").json["data"]["parsed"] in ("Oslo", "Bern")
    assert phi(*ASK, str(path), "--retries", "0").json["data"]["parsed"]["city"] in ("Paris", "Rome")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('schema = { type = "objekt" }', "unknown type: 'objekt'"),
        ("schema = '{'", "is not JSON"),
        ("schema = 'no.json'", "file not found"),
        ("schema = 'module:Model'", "file not found"),
    ],
)
def test_a_schema_that_is_wrong(tmp_path: Path, schema: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.toml"
    path.write_text(f"{PROMPT}{schema}\n")
    (tmp_path / "module.py").write_text("raise SystemExit('a template must not run code')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        checked_template(read_file("t", path, "yours"))
    assert caught.value.message.startswith(f"{path}, line 2: schema is not valid: ")
    assert said in caught.value.message


def test_extract_always_answers_with_an_object(phi: Phi) -> None:
    """tiny-phi likes to repeat names, which is an error."""
    run = phi("chat", "tiny-phi", "France", "-T", "extract", "--retries", "20", "--json")
    if run.code == 0:
        assert isinstance(run.json["data"]["parsed"], dict)
    else:
        assert (run.code, run.json["error"]["code"]) == (9, "check_failed")
    form = phi("chat", "tiny-phi", "France", "-T", "extract", "--dry-run", "--json").json["data"]["form"]
    assert json.loads(form["text"])["type"] == "object"
