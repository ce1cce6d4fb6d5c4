"""Files that a line mentions."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.chat.files.mentions import mentioned
from phicli.chat.files.reading import FileReader
from phicli.errors import NotFoundError, UsageError


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    for name in ("notes.txt", "my notes.txt", "src/main.py", "README"):
        (tmp_path / name).write_text(f"text of {name}")


@pytest.mark.parametrize(
    ("line", "plain", "names"),
    [
        ("what does @src/main.py do?", "what does src/main.py do?", ["src/main.py"]),
        ("sum up @notes.txt.", "sum up notes.txt.", ["notes.txt"]),
        ("@README, and @notes.txt?", "README, and notes.txt?", ["README", "notes.txt"]),
        ('compare @"my notes.txt" with @my\\ notes.txt', "compare my notes.txt with my notes.txt", ["my notes.txt"]),
        ("mail me@notes.txt or @alice", "mail me@notes.txt or @alice", []),
        ("what is @dataclass(frozen=True)?", "what is @dataclass(frozen=True)?", []),
        ("@pytest.fixture @app.route('/x') @types/node", "@pytest.fixture @app.route('/x') @types/node", []),
        ('string path = @"some text";', 'string path = @"some text";', []),
        ("@", "@", []),
        ("a @ b", "a @ b", []),
    ],
)
def test_files_are_found_and_other_words_stay(line: str, plain: str, names: list[str]) -> None:
    text, attachments = mentioned(line, FileReader().read)
    assert (text, [one.name for one in attachments]) == (plain, names)
    assert all(one.text == f"text of {one.name}" for one in attachments)


@pytest.mark.parametrize(
    "line", ["@./none.txt", "see @src/none.py.", '@"no file.txt"', "@none.TXT?", "@none.txt", "@/nowhere/at/all"]
)
def test_a_path_that_leads_nowhere_is_an_error(line: str) -> None:
    with pytest.raises(NotFoundError, match="not found") as caught:
        mentioned(line, FileReader().read)
    assert "leave out the @" in caught.value.hint


def test_a_folder_is_refused() -> None:
    with pytest.raises(UsageError, match="src is a folder"):
        mentioned("what is in @src ?", FileReader().read)
