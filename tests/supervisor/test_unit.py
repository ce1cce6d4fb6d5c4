from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from phicli.supervisor.unit import absolute, quoted, this_phi, unit
from tests.support.files import TINY_PHI
from tests.support.running import Phi

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")


def setting(text: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


def test_the_unit_runs_this_program_from_any_folder() -> None:
    text = unit(["serve", "--port", "1234"], {})
    (command,) = setting(text, "ExecStart")
    program, *words = shlex.split(command)
    assert Path(program).is_absolute()
    assert words[-3:] == ["serve", "--port", "1234"]
    assert setting(text, "Environment") == []
    assert setting(text, "Restart") == ["on-failure"]
    assert setting(text, "WantedBy") == ["default.target"]


def test_a_program_that_was_installed_is_named_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "phi"
    program.write_text("#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["phi", "serve"])
    assert this_phi() == [sys.executable, "-P", "-m", "phicli"]
    program.chmod(0o755)
    assert this_phi() == [str(program)]


def test_words_are_words_to_systemd_too() -> None:
    assert quoted("plain-word_1.2/3") == "plain-word_1.2/3"
    assert quoted("two words") == '"two words"'
    assert quoted('50 % of "$HOME" \\ ') == '"50 %% of \\"$$HOME\\" \\\\ "'
    assert quoted("") == '""'
    assert quoted("a;b") == '"a;b"'


def test_folders_of_this_shell_are_those_of_the_unit() -> None:
    text = unit(["serve"], {"PHI_HOME": "/my home/$x", "HF_HOME": "", "HF_TOKEN": "secret", "PATH": "/bin"})
    assert setting(text, "Environment") == ['"PHI_HOME=/my home/$x"']
    assert "secret" not in text


def test_files_are_named_from_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("my.gguf", "key"):
        (tmp_path / name).touch()
    words = ["serve", "my.gguf", "other", "--api-key-file", "key", "--api-key-file=key"]
    there = str(tmp_path / "key")
    assert absolute(words, ["my.gguf", "key", "other"]) == [
        "serve", str(tmp_path / "my.gguf"), "other", "--api-key-file", there, f"--api-key-file={there}",
    ]  # fmt: skip
    assert absolute(words, []) == words


@pytest.fixture
def printed(phi: Phi, tmp_path: Path) -> str:
    (tmp_path / "a b.gguf").write_bytes(TINY_PHI.read_bytes())
    shown = phi("serve", str(tmp_path / "a b.gguf"), "--port", "1234", "--print-unit")
    assert shown.code == 0, shown.err
    assert "systemctl --user enable --now phi" in shown.err
    return shown.out


def test_the_command_prints_it_and_does_nothing_else(printed: str, phi: Phi, tmp_path: Path) -> None:
    (command,) = setting(printed, "ExecStart")
    assert shlex.split(command)[-4:] == ["serve", str(tmp_path / "a b.gguf"), "--port", "1234"]
    assert f"Environment=PHI_HOME={tmp_path / 'phi'}\n" in printed
    assert not (tmp_path / "phi" / "state" / "serve").exists()
    data = phi("serve", "--print-unit", "--json").json["data"]
    assert data["unit"].startswith("[Unit]\n")


def test_files_above_this_folder_are_named_without_dots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "secret").touch()
    (tmp_path / "key").symlink_to(tmp_path / "secret")
    monkeypatch.chdir(tmp_path / "below")
    assert absolute(["../key"], ["../key"]) == [str(tmp_path / "key")]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--host", "192.0.2.1"), 2, "use --api-key-file FILE: PHI_SERVE_KEY is not part of the unit"),
        (("--allow-origin", "*"), 2, "use --api-key-file FILE"),
        (("nosuch",), 3, "nosuch"),
        (("--api-key-file", "nosuch"), 3, "not found"),
    ],
)  # fmt: skip
def test_a_unit_that_could_not_start_is_not_printed(phi: Phi, options: tuple[str, ...], code: int, said: str) -> None:
    shown = phi("serve", *options, "--print-unit", PHI_SERVE_KEY="correct-horse", columns="240")
    assert (shown.code, shown.out) == (code, "")
    assert said in shown.err


def test_a_key_in_a_variable_is_not_part_of_the_unit(phi: Phi) -> None:
    shown = phi("serve", "--print-unit", PHI_SERVE_KEY="correct-horse", columns="240")
    assert shown.code == 0
    assert "correct-horse" not in shown.out
    assert "note: PHI_SERVE_KEY is not part of the unit; to require a key: --api-key-file FILE" in shown.err


@needs_systemd
def test_systemd_has_nothing_against_it(printed: str, tmp_path: Path) -> None:
    file = tmp_path / "phi.service"
    file.write_text(printed)
    (tmp_path / "run").mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", str(file)],
        capture_output=True, text=True, check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "run")},
    )  # fmt: skip
    assert (done.returncode, [line for line in done.stderr.splitlines() if "phi.service" in line]) == (0, [])
