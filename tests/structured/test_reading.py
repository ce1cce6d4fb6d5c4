"""What stands behind ``--schema``: files, JSON, pydantic models; and everything that is none of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.structured import reading
from phicli.structured.grammars import grammar_form
from phicli.structured.reading import MOST_BYTES, read_schema

SCHEMA = {"type": "object", "properties": {"é": {"type": "null"}}}


def test_json_is_taken_as_it_is() -> None:
    assert read_schema(f"  {json.dumps(SCHEMA)}") == SCHEMA
    assert read_schema("true") is True


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a schema.json"
    path.write_text(json.dumps(SCHEMA, ensure_ascii=False), encoding="utf-8-sig")
    assert read_schema(str(path)) == SCHEMA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": ', "--schema is not JSON: expecting value at line 1, column 10"),
        ('{"type": "string"} x', "--schema is not JSON: extra data at line 1, column 20"),
        ('{"a": 1, "a": 2}', "--schema is not JSON: the key 'a' occurs twice in one object"),
        ('{"maximum": NaN}', "--schema is not JSON: NaN is not a JSON value"),
        ('{"maximum": 1e400}', "--schema is not JSON: 1e400 is too large"),
        ('{"a":' * 100_000, "--schema in --schema has more than"),
        ('{"a":' * 20_000, "--schema is nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_schema(text)
    assert caught.value.message.startswith(message) or "has more than 256 KiB" in caught.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="file not found"):
        read_schema(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="is a folder"):
        read_schema(str(tmp_path))
    (tmp_path / "large.json").write_text(json.dumps({"description": "x" * MOST_BYTES}))
    with pytest.raises(UsageError, match="more than 256 KiB"):
        read_schema(str(tmp_path / "large.json"))
    (tmp_path / "latin.json").write_bytes(b'{"title": "\xe9"}')
    with pytest.raises(UsageError, match="not UTF-8"):
        read_schema(str(tmp_path / "latin.json"))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts_process: None) -> Path:
    """The file of a module called ``shapes`` in the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shapes.py"


def test_a_model_in_a_module_of_this_folder_gives_its_schema(module: Path) -> None:
    module.write_text(
        "print('a module may print', {})\n"
        "class Outer:\n"
        "    class Person:\n"
        "        @staticmethod\n"
        f"        def model_json_schema(): return {SCHEMA!r}\n"
        "class Adapter:\n"
        "    def json_schema(self): return {'type': 'null'}\n"
        "adapter = Adapter()\n"
    )
    assert read_schema("shapes:Outer.Person") == SCHEMA
    assert read_schema("shapes:adapter") == {"type": "null"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import no_such_package", "No module named 'no_such_package'"),
        ("class Model:\n    def json_schema(self): return {1, 2}\nModel = Model()", "not JSON serializable"),
    ],
)
def test_a_module_that_gives_no_schema_is_an_error_and_nothing_worse(module: Path, code: str, reason: str) -> None:
    module.write_text(code)
    with pytest.raises(UsageError) as caught:
        read_schema("shapes:Model")
    assert caught.value.message.startswith("shapes:Model gives no schema: ")
    assert reason in caught.value.message
    assert "python -c 'import shapes'" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "reason"),
    [("class Model: pass", "Model is not a pydantic model"), ("", "shapes has no Model")],
)
def test_a_module_without_the_model_names_what_to_type(module: Path, code: str, reason: str) -> None:
    module.write_text(code)
    with pytest.raises(UsageError, match=reason) as caught:
        read_schema("shapes:Model")
    assert caught.value.hint == "name a pydantic model of shapes, e.g. --schema shapes:Person"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("models.py:Person", "models:Person"), ("./models.py:Person", "models:Person"),
        ("./models:Person", "models:Person"), ("models.Person", "models:Person"), ("a/b.py:Person", "a.b:Person"),
    ],
)  # fmt: skip
def test_what_is_almost_a_model_is_corrected(typed: str, meant: str) -> None:
    with pytest.raises(NotFoundError, match="file not found") as caught:
        read_schema(typed)
    assert caught.value.hint == f"for a pydantic model of a module: --schema {meant}"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("-", "is not read from standard input"),
        ("https://example.com/s.json", "https://example.com/s.json: nothing is downloaded"),
    ],
)
def test_standard_input_and_addresses_are_refused(typed: str, message: str) -> None:
    for option, read in (("--schema", read_schema), ("--grammar", grammar_form)):
        with pytest.raises(UsageError) as caught:
            read(typed)
        assert caught.value.message.startswith(option)
        assert message in caught.value.message


def test_a_module_that_does_not_end_is_given_up(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module.write_text("while True: pass")
    monkeypatch.setattr(reading, "_PATIENCE_S", 0.5)
    with pytest.raises(UsageError, match="did not end within"):
        read_schema("shapes:Model")
