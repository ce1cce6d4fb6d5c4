"""Standard streams that fail, interruptions while the program loads, and what is typed at a question."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phicli import app
from phicli.errors import NetworkError
from tests.cli.test_offer import Person
from tests.support.cache_layout import put_in_cache
from tests.support.running import Phi

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
COMMANDS = [
    "--help", "--version", "cache --help", "list", "list --json", "show tiny-phi", "show tiny-phi --json", "cache list",
    "cache list --json", "cache dir", "cache verify", "cache export tiny-phi {folder}/x.tar", "pull tiny-phi",
    "rm some/repo --dry-run", "chat tiny-phi hi",
]  # fmt: skip


def run_with(
    environment: dict[str, str], command: str, folder: Path, **streams: Any
) -> subprocess.CompletedProcess[str]:
    cache = Path(environment["HF_HOME"]) / "hub"
    if not cache.exists():
        put_in_cache(cache, "some/repo", "m-Q8_0.gguf", b"x")
    return subprocess.run(
        [sys.executable, "-m", "phicli", *command.format(folder=folder).split()],
        env={name: value for name, value in environment.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.DEVNULL, text=True, check=False, timeout=60, **streams,
    )  # fmt: skip


@needs_full
@pytest.mark.parametrize("command", COMMANDS)
def test_standard_output_on_a_full_disk(environment: dict[str, str], tmp_path: Path, command: str) -> None:
    with FULL.open("w") as full:
        done = run_with(environment, command, tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 5
    assert [line for line in done.stderr.splitlines() if line.startswith("error: the disk is full")] != []
    assert "Exception ignored" not in done.stderr


@needs_full
@pytest.mark.parametrize("command", COMMANDS)
def test_standard_error_on_a_full_disk_changes_nothing(
    environment: dict[str, str], tmp_path: Path, command: str
) -> None:
    with FULL.open("w") as full:
        done = run_with(environment, command, tmp_path, stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 0
    assert done.stdout


@needs_full
@pytest.mark.parametrize("more", ["", "--json"])
def test_an_error_that_cannot_be_told_keeps_its_code(environment: dict[str, str], tmp_path: Path, more: str) -> None:
    with FULL.open("w") as full:
        done = run_with(environment, f"show phi-99 {more}", tmp_path, stdout=full, stderr=full)
        assert done.returncode == 3
        done = run_with(environment, f"show phi-99 {more}", tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert "phi-99" in done.stderr


INTERRUPTED = """
import sys

class Once:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, Once())
from phicli.__main__ import entry
entry()
"""


@pytest.mark.parametrize(
    "module", ["phicli.app", "typer.core", "phicli.ui.envelope", "phicli.catalog.load", "phicli.commands.pull"]
)
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_an_interruption_while_the_program_loads(environment: dict[str, str], module: str, more: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module), "pull", "phi-4", *more],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")
    if more:
        error = {"code": "interrupted", "message": "interrupted", "hint": ""}
        assert json.loads(done.stdout) == {"schema": 1, "command": "pull", "error": error}
    else:
        assert done.stdout == ""


LOST = """
import time

class Bad:
    def __del__(self):
        {what}

from phicli.__main__ import entry
import phicli.app

def main(arguments):
    bad = Bad()
    del bad
    time.sleep(120 if {lost} else 0)
    return 0

phicli.app.main = main
entry()
"""


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("raise KeyboardInterrupt", 130, ""), ("raise ValueError('seen')", 0, "ValueError: seen")],
    ids=["interruption", "error"],
)
def test_an_interruption_that_python_ignores(environment: dict[str, str], what: str, code: int, said: str) -> None:
    """Such as in a destructor, or in what an import calls when a module is there."""
    done = subprocess.run(
        [sys.executable, "-c", LOST.format(what=what, lost=code == 130)],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code
    assert (said in done.stderr) if said else done.stderr == ""


def hidden(how: str) -> Exception:
    """What Python 3.11 makes of an interruption in such a place."""

    class Interrupted:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    try:
        if how == "class":
            type("Made", (), {"field": Interrupted()})
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ValueError("while it was tidied")  # noqa: B904 (as it happens)
    except (RuntimeError, ValueError) as error:
        return error
    except KeyboardInterrupt:  # from Python 3.12 on nothing is hidden there
        return ValueError()


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("how", ["class", "tidying", "module"])
def test_an_interruption_that_python_makes_another_error_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str, as_json: bool
) -> None:
    error = hidden(how) if how != "module" else ImportError('PyCapsule_Import could not import module "_socket"')
    if how == "class" and not isinstance(error, RuntimeError):
        pytest.skip("this Python hides no interruption there")

    def broken(**_: object) -> None:
        raise error

    monkeypatch.setattr(app, "app", broken)
    assert app.main(["list", *(["--json"] if as_json else [])]) == 130
    printed = capsys.readouterr()
    assert printed.err == ""
    assert ("interrupted" in printed.out) if as_json else printed.out == ""


def test_an_error_that_is_no_interruption_is_still_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ImportError("no module named this")

    monkeypatch.delenv("PHI_DEBUG", raising=False)
    monkeypatch.setattr(app, "app", broken)
    assert app.main(["list"]) == 1
    assert "a bug in phi" in capsys.readouterr().err


def test_stray_bytes_are_no_answer(environment: dict[str, str], folder: Path) -> None:
    path = put_in_cache(folder, "some/repo", "m-Q8_0.gguf", b"x")
    person = Person(environment | {"PYTHONIOENCODING": "utf-8:strict"}, "rm", "some/repo")
    person.wait_for("[y/N]")
    person.type_bytes(b"\xff\xfey\xc3\n")
    person.wait_for("[y/N]", times=2)
    assert path.exists()
    person.type("y\n")
    assert person.end()[0] == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("said", "shown"),
    [("It broke.", "It broke"), ("wait...", "wait..."), ("see a/.", "see a/."), ("no (really).", "no (really)")],
)
def test_messages_have_no_full_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, shown: str
) -> None:
    def broken(**_: object) -> None:
        raise NetworkError(said)

    monkeypatch.setattr(app, "app", broken)
    assert app.main(["list"]) == 4
    assert capsys.readouterr().err == f"error: {shown}\n"


def test_what_the_system_refuses_in_a_folder_of_phi_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Such as on a read-only disk: the folder that cannot be made may be above it."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for place, variable in (("phi", "PHI_HOME"), ("phi/data/x", "PHI_HOME"), ("hub/.locks", "HF_HUB_CACHE")):
        path = tmp_path / place

        def refused(*, path: Path = path, **_: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system", str(path))

        monkeypatch.setattr(app, "app", refused)
        assert app.main(["list"]) == 2
        assert capsys.readouterr().err == (
            f"error: {path} cannot be used: read-only file system\n"
            f"  → set {variable} to a folder that you can write to\n"
        )


def test_a_home_of_phi_that_is_a_file(phi: Phi, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for home in (file, file / "below"):
        for command in (["config", "set", "threads", "2"], ["config", "unset", "threads"], ["runs", "list", "--json"]):
            done = phi(*command, PHI_HOME=str(home))
            assert done.code == 2, done.err
            assert "set PHI_HOME to a folder that you can write to" in done.err + done.out


def test_the_system_s_words_begin_small(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "x.tar")

    monkeypatch.setattr(app, "app", broken)
    assert app.main(["list"]) == 1
    assert capsys.readouterr().err.startswith(
        "error: the operating system reported an error: permission denied: x.tar\n"
    )
