"""A change of one key leaves everything else of a file as somebody wrote it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.settings.key import KeyPath
from phicli.settings.lines import key_parts
from phicli.settings.writing import remove_key, set_value
from tests.support.disks import small_file_system

BY_HAND = """\
# mine

model = 'a'   # the usual one

[chat] # talking
  max_tokens = 3 # three
  system = '''
[not a table]
'''

# about bench
[bench]
repeat = 1

[profile.fast]
threads = 1
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "config.toml"


def key(typed: str) -> KeyPath:
    found = key_parts(typed)
    assert found is not None
    return found


def after(path: Path, text: str, typed: str, value: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    set_value(path, key(typed), value)
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("typed", "value", "before", "now"),
    [
        ("model", "b", "model = 'a'   # the usual one", 'model = "b"   # the usual one'),
        ("chat.max_tokens", 5, "max_tokens = 3 # three", "max_tokens = 5 # three"),
        ("chat.system", "x", "'''\n[not a table]\n'''", '"x"'),
        ("chat.quiet", True, "'''\n\n# about", "'''\n  quiet = true\n\n# about"),
        ("threads", 2, "# the usual one\n", "# the usual one\nthreads = 2\n"),
        ("bench.quick", False, "repeat = 1\n", "repeat = 1\nquick = false\n"),
        ("profile.fast.model", "é", "threads = 1\n", 'threads = 1\nmodel = "é"\n'),
        ("profile.fast.chat.seed", 1, "threads = 1\n", "threads = 1\n\n[profile.fast.chat]\nseed = 1\n"),
        ('profile."very fast".seed', 1, "threads = 1\n", 'threads = 1\n\n[profile."very fast"]\nseed = 1\n'),
        ("recommend.min_tps", 2.5, "threads = 1\n", "threads = 1\n\n[recommend]\nmin_tps = 2.5\n"),
    ],
)
def test_only_that_key_changes(path: Path, typed: str, value: Any, before: str, now: str) -> None:
    assert BY_HAND.count(before) == 1
    assert after(path, BY_HAND, typed, value) == BY_HAND.replace(before, now)


@pytest.mark.parametrize(
    ("text", "typed", "now"),
    [
        ("", "model", "model = 1\n"),
        ("# mine", "model", "# mine\nmodel = 1\n"),
        ("# mine\n\n[chat]\nseed = 1\n", "model", "# mine\n\nmodel = 1\n\n[chat]\nseed = 1\n"),
        ("# about chat\n[chat]\nseed = 1\n", "model", "model = 1\n\n# about chat\n[chat]\nseed = 1\n"),
        ("", "chat.seed", "[chat]\nseed = 1\n"),
        ("[chat]\nx = 1", "chat.seed", "[chat]\nx = 1\nseed = 1\n"),
        ("[chat]\nx = 1", "bench.seed", "[chat]\nx = 1\n\n[bench]\nseed = 1\n"),
        ("chat.x = 1\nmodel = 2\n", "chat.seed", "chat.x = 1\nchat.seed = 1\nmodel = 2\n"),
        ("[profile]\nfast.x = 1\n", "profile.fast.seed", "[profile]\nfast.x = 1\nfast.seed = 1\n"),
        ("[chat]\r\nx = 1 # c\r\n", "chat.seed", "[chat]\r\nx = 1 # c\r\nseed = 1\r\n"),
        ("[chat]\n", "chat.seed", "[chat]\nseed = 1\n"),
    ],
)
def test_where_a_new_key_goes(path: Path, text: str, typed: str, now: str) -> None:
    assert after(path, text, typed, 1) == now


@pytest.mark.parametrize("value", ['"', "\\", "\n", "\x7f\x00", "😀", "", "a'b", 1, 2.5, True, ["a", 'b"'], 10**20])
def test_values_are_read_as_they_were_written(path: Path, value: Any) -> None:
    assert tomllib.loads(after(path, BY_HAND, "chat.x", value))["chat"]["x"] == value


@pytest.mark.parametrize("text", ["chat = { seed = 1 }\n", "[[chat]]\nseed = 1\n", "chat = 1\n"])
@pytest.mark.parametrize("typed", ["chat.seed", "chat.top_k"])
def test_what_cannot_be_changed_is_left_alone(path: Path, text: str, typed: str) -> None:
    with pytest.raises(UsageError, match=r"line [12]: chat") as refused:
        after(path, text, typed, 5)
    assert "phi config edit" in refused.value.hint
    assert path.read_text() == text


def removed(path: Path, text: str, typed: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    remove_key(path, key(typed))
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("typed", "gone"),
    [
        ("model", "model = 'a'   # the usual one\n"),
        ("chat.max_tokens", "  max_tokens = 3 # three\n"),
        ("chat.system", "  system = '''\n[not a table]\n'''\n"),
        ("bench", "# about bench\n[bench]\nrepeat = 1\n\n"),
        ("profile.fast", "\n[profile.fast]\nthreads = 1\n"),
        ("profile", "\n[profile.fast]\nthreads = 1\n"),
    ],
)
def test_only_that_is_removed(path: Path, typed: str, gone: str) -> None:
    assert BY_HAND.count(gone) == 1
    assert removed(path, BY_HAND, typed) == BY_HAND.replace(gone, "")


def test_the_last_key(path: Path) -> None:
    assert removed(path, "model = 1\n", "model") == ""
    assert removed(path, "a.b.c = 1\na.b.d = 2\nx = 1\n", "a.b") == "x = 1\n"


def test_what_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(NotFoundError, match="max_tokenz") as missing:
        removed(path, BY_HAND, "chat.max_tokenz")
    assert "did you mean chat.max_tokens?" in missing.value.hint
    assert path.read_text() == BY_HAND


def test_a_broken_file_is_not_touched(path: Path) -> None:
    with pytest.raises(UsageError, match="line 2"):
        after(path, "a = 1\nb =\n", "model", "x")
    assert path.read_text() == "a = 1\nb =\n"
    with pytest.raises(UsageError, match="deeply"):
        after(path, "a" + ".a" * 9000 + " = 1\n", "model", "x")


@pytest.mark.skipif(sys.platform == "win32", reason="no umask on Windows")
def test_the_umask_and_links_are_respected(path: Path, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        set_value(path, ("model",), "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.rename(tmp_path / "elsewhere.toml")
    path.symlink_to(tmp_path / "elsewhere.toml")
    set_value(path, ("model",), "y")
    assert path.is_symlink()
    assert (tmp_path / "elsewhere.toml").read_text() == 'model = "y"\n'


@pytest.mark.process
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=16k") as disk:
        path = disk / "config.toml"
        path.write_text("model = 'x'\n")
        with pytest.raises(OSError, match="space") as full:
            set_value(path, ("chat", "system"), "x" * 100_000)
        assert full.value.filename == str(path)
        assert path.read_text() == "model = 'x'\n"
        assert list(disk.iterdir()) == [path]


def test_there_is_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    from phicli.paths import NOWHERE

    with pytest.raises(UsageError, match="no home") as refused:
        set_value(NOWHERE / "config.toml", ("model",), "x")
    assert "PHI_HOME" in refused.value.hint


@pytest.mark.process
def test_writers_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom phicli.settings.writing import set_value\n"
        "for number in range(15):\n    set_value(Path(sys.argv[1]), (sys.argv[2], f'k{number}'), number)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=100) for writer in writers] == [0, 0, 0]
    wanted = {f"k{number}": number for number in range(15)}
    assert tomllib.loads(path.read_text()) == {"a": wanted, "b": wanted, "c": wanted}
