"""Names and paths of templates, and files that are none."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.templates.finding import all_names, built_in_names, check_name, find_template, is_path, own_names
from phicli.templates.listing import list_templates
from phicli.templates.reading import read_template


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a person's templates."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    folder = tmp_path / "config" / "templates"
    folder.mkdir(parents=True)
    return folder


def test_built_in_templates_can_be_read(own: Path) -> None:
    assert built_in_names() == ("commit", "explain", "extract", "review", "summary", "translate")
    for name in built_in_names():
        template = read_template(find_template(name))
        assert template.description
        assert template.takes_input
        assert not set(template.variables) - set(template.defaults), "each can be used with its name only"
        assert template.prompt is not None
        assert template.prompt.behind_input is not None, "files and piped text stay attachments"


def test_a_template_of_ones_own_comes_before_a_built_in_one(own: Path) -> None:
    assert find_template("commit").origin == "built-in"
    (own / "commit.toml").write_text('prompt = "mine"')
    assert find_template("commit").origin == "yours"
    assert find_template("commit").path == own / "commit.toml"


def test_names_and_paths(own: Path) -> None:
    assert not any(map(is_path, ("commit", "my-summary", "A1_b")))
    assert all(map(is_path, ("commit.toml", "./commit", "a/b", "~/x", "..", "a\\b", "X.TOML")))
    for name in ("", " ", "a b", "-x", "_x", "é", "x" * 65, "a.b", "a\0b"):
        with pytest.raises(UsageError):
            check_name(name)
        with pytest.raises(NotFoundError):
            find_template(name)


def test_not_found(own: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        find_template("sumary")
    assert caught.value.hint == "did you mean summary? See all templates: phi templates list"
    with pytest.raises(NotFoundError, match=re.escape("'no'")):
        find_template("no")
    with pytest.raises(NotFoundError, match=r"no\.toml not found"):
        find_template(str(own / "no.toml"))
    with pytest.raises(NotFoundError):
        find_template("commit.toml/x.toml")


def test_files_that_are_not_templates(own: Path) -> None:
    (own / "folder.toml").mkdir()
    (own / "latin.toml").write_bytes('prompt = "x"\n# größer'.encode("latin-1"))
    (own / "large.toml").write_bytes(b"#" * (1 << 21))
    (own / "deep.toml").write_text("schema = " + "[" * 100_000)
    for name, said in [
        ("folder", "is not a regular file"), ("latin", "line 2: this is not UTF-8 text"), ("large", "is too large"),
        ("deep", "cannot be read"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=said):
            find_template(name)
    if sys.platform != "win32":
        os.mkfifo(own / "pipe.toml")
        with pytest.raises(UsageError, match="is not a regular file"):
            find_template("pipe")


def test_a_byte_order_mark_and_windows_line_ends(own: Path) -> None:
    (own / "bom.toml").write_bytes(b'\xef\xbb\xbfprompt = """\r\n{input}\r\n\r\nShort."""\r\n')
    template = read_template(find_template("bom"))
    assert template.prompt is not None
    assert template.prompt.whole({"input": "x"}) == "x\n\nShort."


def test_the_list(own: Path) -> None:
    for name, text in [("mine", 'prompt = "x"'), ("commit", 'promt = "x"'), (".mine.draft", ""), ("a b", "")]:
        (own / f"{name}.toml").write_text(text)
    (own / "notes.txt").write_text("")
    assert own_names() == ("commit", "mine")
    assert set(all_names()) == {*built_in_names(), "mine"}
    rows = {row.name: row for row in list_templates(read_template)}
    assert rows["mine"].template is not None
    assert not rows["mine"].replaces
    assert rows["commit"].replaces
    assert rows["commit"].problem is not None
    assert (rows["review"].origin, rows["review"].problem) == ("built-in", None)


def test_no_folder_and_a_file_in_its_place(own: Path) -> None:
    own.rmdir()
    assert own_names() == ()
    own.write_text("")
    assert own_names() == ()
    assert find_template("commit").origin == "built-in"
