"""``phi config`` as people run it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.editing import edited
from tests.support.running import Phi

QUESTION = "What is the capital of France?"


BROKEN = {
    "not TOML": b"[chat]\nmax_tokens = \n",
    "not UTF-8": b"# caf\xe9\n",
    "large": b"#" * (5 << 20),
    "folder": None,
    "pipe": None,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file(phi: Phi, file: Path, kind: str) -> None:
    content = BROKEN[kind]
    if content is not None:
        file.write_bytes(content)
    elif kind == "folder":
        file.mkdir()
    else:
        if sys.platform == "win32":
            pytest.skip("no pipes in folders")
        os.mkfifo(file)
    for command in (["list"], ["cache", "dir"], ["chat", "tiny-phi", QUESTION], ["config", "set", "model", "tiny-phi"]):
        run = phi(*command)
        assert (run.code, run.out) == (2, ""), command
        assert str(file) in run.err
    assert phi("list", "--json").json["error"]["code"] == "usage"
    for command in (["--help"], ["--version"], ["chat", "--help"], ["config", "path"]):
        assert phi(*command).code == 0
    for command in (["config", "list"], ["config", "list", "--all"]):
        run = phi(*command, PHI_CHAT_SEED="7")
        assert run.code == 0
        assert str(file) in run.err
        assert "7" in run.out
    assert phi("config", "list", "--json").json["data"]["problems"][0]["hint"]


def test_set_get_list_unset(phi: Phi, file: Path) -> None:
    assert "no settings in" in phi("config", "list").err
    done = phi("config", "set", "chat.max_tokens", "12")
    assert (done.code, done.out) == (0, "")
    assert str(file) in done.err
    phi("config", "set", "chat.quiet", "yes")
    phi("config", "set", "bench.fail_below", "0.5")
    phi("config", "set", "profile.fast.chat.max_tokens", "3")
    phi("--profile", "fast", "config", "set", "threads", "2")
    assert file.read_text() == (
        "[chat]\nmax_tokens = 12\nquiet = true\n\n[bench]\nfail_below = 0.5\n\n"
        "[profile.fast.chat]\nmax_tokens = 3\n\n[profile.fast]\nthreads = 2\n"
    )
    assert phi("config", "get", "chat.max_tokens").out == "12\n"
    assert phi("config", "get", "chat.quiet").out == "true\n"
    assert phi("config", "get", "profile.fast.chat.max_tokens").out == "3\n"
    assert phi("config", "get", "chat.max_tokens", "--profile", "fast").out == "3\n"
    assert phi("config", "get", "chat.max_tokens", PHI_CHAT_MAX_TOKENS="5").out == "5\n"
    unset = phi("config", "get", "chat.seed")
    assert (unset.code, unset.out) == (0, "\n")
    assert "is not set" in unset.err
    assert phi("config", "get", "recommend.task").out == "any\n"
    shown = phi("config", "list", PHI_CHAT_QUIET="0", PHI_MODEL="tiny-phi")
    assert [line.split(maxsplit=2) for line in shown.out.splitlines()] == [
        ["KEY", "VALUE", "FROM"],
        ["model", "tiny-phi", "PHI_MODEL"],
        ["chat.max_tokens", "12", f"{file}, line 2"],
        ["chat.quiet", "false", "PHI_CHAT_QUIET"],
        ["bench.fail_below", "0.5", f"{file}, line 6"],
    ]
    assert "fast" in shown.err
    assert phi("config", "unset", "profile.fast").code == 0
    assert phi("config", "unset", "chat.quiet").code == 0
    assert file.read_text() == "[chat]\nmax_tokens = 12\n\n[bench]\nfail_below = 0.5\n"
    gone = phi("config", "unset", "chat.quiet")
    assert gone.code == 3
    assert "is not set" in gone.err


def test_as_json(phi: Phi, file: Path) -> None:
    done = phi("config", "set", "threads", "2", "--json", PHI_THREADS="1").json
    assert done["command"] == "config set"
    assert done["data"]["value"] == 2
    assert "PHI_THREADS=1" in done["data"]["notes"][0]
    found = phi("config", "get", "bench.threads", "--json").json["data"]
    assert (found["value"], found["source"], found["variable"]) == ("2", "file", "PHI_BENCH_THREADS")
    assert found["place"] == f"{file}, line 1"
    listed = phi("config", "list", "--json").json["data"]
    assert [(row["key"], row["value"]) for row in listed["settings"]] == [("threads", 2)]
    every = phi("config", "list", "--all", "--json").json["data"]["settings"]
    (task,) = [row for row in every if row["key"] == "recommend.task"]
    assert (task["default"], task["option"], task["source"]) == ("any", "--task", "default")
    assert phi("config", "path", "--json").json["data"] == {"path": str(file), "exists": True}
    assert phi("config", "unset", "threads", "--json").json["data"]["value"] == 2
    assert phi("config", "unset", "threads", "--json").json["error"]["code"] == "not_found"
    assert phi("config", "ls", "--json").json["command"] == "config list"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["set", "chat.max_tokens", "abc"], 2, "is not a whole number"),
        (["set", "chat.max_tokens", "0"], 2, "between 1 and"),
        (["set", "chat.seed", "-1"], 2, "put -- before"),
        (["set", "chat.quiet", "maybe"], 2, "is not true or false"),
        (["set", "chat.system", "be", "brief"], 2, "'be brief'"),
        (["set", "json", "true"], 3, "--json can be given only on the command line"),
        (["set", "chat.json", "true"], 3, "--json can be given only on the command line"),
        (["set", "chat.max-tokens", "1"], 3, "did you mean chat.max_tokens?"),
        (["get", "top_p"], 3, "did you mean chat.top_p or batch.top_p?"),
        (["get", "chat..seed"], 3, "phi config list --all"),
        (["get", "profile.fast.chat.seed"], 3, "'fast'"),
        (["list", "--profile", "fast"], 3, "'fast'"),
        (["unset", "chat.seed"], 3, "is not set"),
        (["edit"], 2, "needs a terminal"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_refused(phi: Phi, file: Path, arguments: list[str], code: int, says: str) -> None:
    run = phi("config", *arguments)
    assert (run.code, run.out) == (code, "")
    assert says in run.err
    assert "→" in run.err
    assert not file.exists()


def test_a_value_that_some_commands_do_not_take_is_pointed_out(phi: Phi, file: Path) -> None:
    done = phi("config", "set", "threads", "1,2")
    assert done.code == 0
    assert 'phi chat does not accept it: "1,2" is not a whole number' in done.err
    assert file.read_text() == 'threads = "1,2"\n'
    assert phi("config", "list").code == 0


def test_mistakes_can_be_listed_and_removed(phi: Phi, file: Path) -> None:
    file.write_text("chat.max_tokenz = 1\n[bench]\nrepeat = 0\n[profile.fast]\nthread = 1\n")
    listed = phi("config", "list")
    assert listed.code == 0
    assert listed.err.count("warning:") == 3
    for key in ("chat.max_tokenz", "bench.repeat", "profile.fast.thread"):
        assert f"phi config unset {key}" in listed.err
        assert phi("config", "unset", key).code == 0
    assert "warning" not in phi("config", "list").err


def test_places_that_cannot_be_written(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = phi("config", "set", "model", "tiny-phi", PHI_HOME=str(tmp_path / "file"))
    assert run.code == 2
    assert str(tmp_path / "file") in run.err
    assert phi("config", "list", PHI_HOME=str(tmp_path / "file")).code == 0


def editor_that_writes(text: str) -> str:
    code = f"import sys; open(sys.argv[-1], 'a').write({text!r})"
    return shlex.join([sys.executable, "-c", code])


def test_edit(environment: dict[str, str], file: Path, phi: Phi) -> None:
    code, _ = edited(environment, "config", "edit", editor=editor_that_writes("[chat]\nseed = 3\n"))
    assert code == 0
    assert file.read_text().startswith("# Settings of phi.")
    assert phi("config", "get", "chat.seed").out == "3\n"
    code, screen = edited(environment, "config", "edit", editor=editor_that_writes("sede = 1\ntop_p = 7\n"))
    assert code == 2
    assert f"{file}, line 8: chat.sede is not a setting" in screen
    assert "chat.top_p = 7 is not valid" in screen
    assert file.read_text().endswith("seed = 3\nsede = 1\ntop_p = 7\n")
    code, screen = edited(
        environment, "config", "edit", "--json", editor="no-such-editor", VISUAL=editor_that_writes("= 1\n")
    )
    assert code == 2
    assert "line 10" in json.loads(screen)["error"]["message"]
    assert file.read_text().endswith("top_p = 7\n= 1\n")


def test_an_editor_that_fails_or_changes_nothing(environment: dict[str, str], file: Path) -> None:
    assert edited(environment, "config", "edit", editor="true") == (0, "")
    assert not file.exists()
    code, screen = edited(environment, "config", "edit", editor="no-such-editor")
    assert code == 2
    assert "EDITOR=nano phi config edit" in screen
    assert edited(environment, "config", "edit", editor="false")[0] == 2
    assert edited(environment, "config", "edit", editor="'unclosed")[0] == 2
    assert not file.exists()


def complete(phi: Phi, line: str, **more: str) -> list[str]:
    return phi(_PHI_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(line.count(" ")), **more).out.split()


def test_completion(phi: Phi, file: Path) -> None:
    file.write_text("[profile.fast.chat]\nseed = 1\n")
    assert complete(phi, "phi config get chat.max") == ["chat.max_tokens"]
    assert complete(phi, "phi config set chat.quiet ") == ["true", "false"]
    assert complete(phi, "phi config set model phi-4-mini-r") == ["phi-4-mini-reasoning"]
    assert "reasoning" in complete(phi, "phi config set recommend.task ")
    assert complete(phi, "phi config unset profile.fast.chat.") == ["profile.fast.chat.seed"]
    assert complete(phi, "phi --profile f") == complete(phi, "phi chat --profile f") == ["fast"]
    file.write_text("broken")
    assert complete(phi, "phi --profile f") == complete(phi, "phi config unset ") == []
    assert complete(phi, "phi chat phi-4-mini-r", PHI_CHAT_SEED="x") == ["phi-4-mini-reasoning"]


def test_a_bad_variable_is_a_problem_in_the_list(phi: Phi, file: Path) -> None:
    file.write_text("[chat]\nseed = 1\n")
    for arguments in (["config", "list"], ["config", "list", "--all"]):
        run = phi(*arguments, PHI_THREADS="x")
        assert run.code == 0
        warned = "warning: PHI_THREADS=x is not a whole number from 1 to 512"
        assert run.err == f"{warned}\n  change it, or remove it: unset PHI_THREADS\n"
    (problem,) = phi("config", "list", "--json", PHI_THREADS="x").json["data"]["problems"]
    assert problem["hint"] == "change it, or remove it: unset PHI_THREADS"
