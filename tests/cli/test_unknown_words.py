"""Words that are not commands, options or models: what to type instead; and ``phi help``."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from phicli.app import main

pytestmark = pytest.mark.usefixtures("no_settings")


UNKNOWN = {
    "a model": (["phi-4-mini", "hi"], "phi-4-mini is a model, not a command", "phi chat phi-4-mini hi"),
    "a repository": (["owner/repo:q4_k_m"], "is a model, not a command", "phi chat owner/repo:q4_k_m"),
    "a file": (["./x.gguf", "What's up?"], "./x.gguf is a model", 'phi chat ./x.gguf "What\'s up?"'),
    "a misspelled model": (["phi-4-min"], "unknown command: 'phi-4-min'", "did you mean phi chat phi-4-mini?"),
    "a misspelled command": (["chta"], "unknown command: 'chta'", "did you mean phi chat?"),
    "in a group": (["cache", "lst"], "unknown command: 'cache lst'", "did you mean phi cache list?"),
    "another word in a group": (["runs", "delete", "x"], "unknown command: 'runs delete'", "did you mean phi runs rm?"),
    "another program's word": (["download"], "unknown command: 'download'", "did you mean phi pull?"),
    "a question": (["What is up?"], "unknown command: 'What is up?'", "phi chat MODEL 'What is up?'"),
    "nothing like it": (["frobnicate"], "unknown command: 'frobnicate'", "see all commands: phi --help"),
    "-m before the command": (["-m", "tiny-phi", "hi"], "no such option: -m", "phi chat tiny-phi hi"),
    "-m": (["chat", "-m", "tiny-phi", "hi"], "no such option: -m", "phi chat tiny-phi hi"),
    "--model=": (["bench", "--model=phi-4", "--quick"], "no such option: --model", "phi bench phi-4 --quick"),
    "--model without one": (["show", "--model"], "no such option: --model", "phi show MODEL"),
    "a misspelled option": (
        ["chat", "--temprature", "1"],
        "no such option: --temprature",
        "--temperature? See",
    ),
    "an option of eval": (
        ["bench", "m", "--eval", "arithmetic", "--limit", "3"],
        "phi bench --eval is now phi eval",
        "phi eval m --set arithmetic --limit 3",
    ),
    "an option of autotune": (
        ["bench", "m", "--tune", "--reset"],
        "phi bench --tune is now phi autotune",
        "phi autotune m --reset",
    ),
    "a word that is like another command": (["models"], "unknown command: 'models'", "did you mean phi list?"),
    "training": (["train"], "unknown command: 'train'", "did you mean phi finetune?"),
    "a command outside of the group": (
        ["cache", "rm"],
        "unknown command: 'cache rm'",
        "did you mean phi rm? See phi rm",
    ),
    "its other name": (["cache", "delete"], "unknown command: 'cache delete'", "did you mean phi rm? See phi rm"),
    "help for nothing": (["help", "nosuch"], "unknown command: 'nosuch'", "phi --help"),
    "help in a group": (["help", "cache", "lst"], "unknown command: 'cache lst'", "did you mean phi cache list?"),
    "help behind a command": (["help", "chat", "x"], "phi chat has no subcommands, but 'x' follows", "phi help chat"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_the_hint_says_what_to_type(capsys: pytest.CaptureFixture[str], case: str) -> None:
    words, says, hints = UNKNOWN[case]
    assert main(words) == 2
    message, _, hint = capsys.readouterr().err.partition("→")
    assert says in message
    assert hints in hint
    assert "put -- before" not in hint or "--temprature" in words


@pytest.mark.parametrize("case", UNKNOWN)
def test_as_json(capsys: pytest.CaptureFixture[str], case: str) -> None:
    words, says, hints = UNKNOWN[case]
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "usage"
    assert says in error["message"]
    assert hints.split(" --")[0] in error["hint"]


@pytest.mark.parametrize("text", ["What is it?", "法国的首都是哪里?", "two\nlines"])
def test_text_without_a_default_model_is_named_as_text(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert main(["chat", text]) == 3
    message, _, hint = capsys.readouterr().err.partition("→")
    assert "was taken for the name of a model" in message
    assert "phi chat tiny-phi" in hint
    assert "phi config set model phi-4-mini" in hint


def test_a_model_behind_the_prompt_is_put_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "What is it?", "tiny-phi"]) == 3
    message, _, hint = capsys.readouterr().err.partition("→")
    assert "the text 'What is it?' was taken for the name of a model" in message
    assert "put the model before the prompt: phi chat tiny-phi 'What is it?'" in hint


def test_a_colon_in_the_place_of_the_slash_of_a_remote(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remotes", "add", "lab", "http://127.0.0.1:9/v1", "--json"]) == 0
    capsys.readouterr()
    assert main(["show", "lab:tiny-phi", "--json"]) == 3
    hint = json.loads(capsys.readouterr().out)["error"]["hint"]
    assert hint.startswith("did you mean lab/tiny-phi, a model of the remote lab? Or see")


@pytest.mark.parametrize("words", [[], ["chat"], ["cache"], ["cache", "list"], ["ls"], ["help"]])
def test_help_prints_what_the_option_prints(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> None:
    assert main(["help", *words]) == 0
    page = capsys.readouterr().out
    assert main([*words, "--help"]) == 0
    assert page == capsys.readouterr().out
    assert main(["help", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["text"] == page.rstrip("\n")
