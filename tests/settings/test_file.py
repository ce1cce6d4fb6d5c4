"""The file is read whole or refused with the line; nothing that lies in its place can hang or fill the memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.settings.file import SettingsFile, did_you_mean, parse, read_settings, toml_value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_no_file_is_an_empty_one(path: Path) -> None:
    assert read_settings(path) == SettingsFile(path)
    path.write_text("")
    assert read_settings(path).tables == {}
    assert read_settings(path / "below-a-file").text is None


def test_values_and_lines(path: Path) -> None:
    path.write_text("\ufeffmodel = 'x'\n\n[chat]\nseed = 1\n", encoding="utf-8")
    file = read_settings(path)
    assert file.value(("chat", "seed")) == 1
    assert file.value(("chat", "seed", "deeper")) is None
    assert file.value(("model", "deeper")) is None
    assert file.place(("chat", "seed")) == f"{path}, line 4"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a = 1\nb = \n", 2),
        (b"a = 1\na = 2\n", 2),
        (b"[chat\n", 1),
        (b'a = 1\nb = "never ends', 2),
        (b'a = """never ends\n\n', 1),
        (b"a = 1\nb = '\xff'\n", 2),
        (b"\xff\xfea\x00", 1),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(path: Path, content: bytes, line: int) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"line {line}:") as refused:
        read_settings(path)
    assert str(path) in refused.value.message
    assert "phi config edit" in refused.value.hint


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = " + "9" * 5000])
def test_what_python_cannot_take(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError, match=str(path)):
        read_settings(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_what_is_not_a_file(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(50 << 20)
    (tmp_path / "loop").symlink_to("loop")
    for name in ("config.toml", "pipe", "large", "loop"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_settings(tmp_path / name)


def test_profiles(path: Path) -> None:
    file = parse(path, "[profile.fast]\nseed = 1\n[profile]\nbad = 1\n")
    assert file.profiles() == ("fast", "bad")
    file.require_profile("")
    file.require_profile("fast")
    with pytest.raises(UsageError, match=r"line 4: profile\.bad is not a table"):
        file.require_profile("bad")
    with pytest.raises(NotFoundError, match="'slow'") as missing:
        file.require_profile("slow")
    assert "fast" in missing.value.hint
    with pytest.raises(NotFoundError) as missing:
        SettingsFile(path).require_profile("slow")
    assert "phi config set profile.slow." in missing.value.hint


def test_words() -> None:
    assert did_you_mean("max-tokenz", ["max_tokens", "seed"], "chat.") == "did you mean chat.max_tokens?"
    assert did_you_mean("xyz", ["max_tokens"]) == ""
    assert toml_value(["a", True, 1]) == '["a", true, 1]'
    assert toml_value({"a": 1}) == "{…}"
    assert len(toml_value("x" * 1000)) < 100
    assert len(toml_value(16**10_000)) < 100
