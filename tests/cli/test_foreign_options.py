"""Options of other programs, and arguments that are missing, too many or not numbers: what to type instead."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from phicli.app import main
from phicli.commands import GROUPS, SUMMARIES
from phicli.commands.foreign_options import _OTHER_NAMES, _WITHOUT
from phicli.commands.group import build

pytestmark = pytest.mark.usefixtures("no_settings")

OPTIONS = {
    "chat tiny-phi --ctx 512 hi": "did you mean --context? See phi chat --help",
    "serve --ctx-size 512": "did you mean --context? See phi serve --help",
    "batch in.csv --num_ctx 512": "did you mean --context? See phi batch --help",
    "chat tiny-phi --system-prompt short hi": "did you mean --system? See phi chat --help",
    "chat tiny-phi --n-predict 5 hi": "did you mean --max-tokens? See phi chat --help",
    "chat tiny-phi --n_predict=5 hi": "did you mean --max-tokens? See phi chat --help",
    "chat tiny-phi -ngl 5 hi": "did you mean --gpu-layers? See phi chat --help",
    "chat tiny-phi --lora mine hi": "did you mean --adapter? See phi chat --help",
    "chat tiny-phi --format json hi": "did you mean --json-object? See phi chat --help",
    "finetune folder t.jsonl --lr 1e-4": "did you mean --learning-rate? See phi finetune --help",
    "data split t.jsonl --split 0.1": "did you mean --validation? See phi data split --help",
    "data convert t.csv --answer a": "did you mean --assistant? See phi data convert --help",
    "batch in.csv --overwrite": "did you mean --restart? See phi batch --help",
    "data convert t.csv --overwrite": "did you mean --force? See phi data convert --help",
    "remotes add lab http://a --api-key x": "save the key in a variable, and name that: --key-env VARIABLE",
    "batch -m tiny-phi in.csv": "name it without an option: phi batch IN [MODEL] --out OUT",
    "batch --input in.csv": "name it without an option: phi batch IN [MODEL] --out OUT",
    "finetune --model phi-4-mini": "name it without an option: phi finetune FOLDER TRAIN.jsonl",
    "data check --file t.jsonl": "name it without an option: phi data check FILE",
    "chat tiny-phi --remote lab hi": "name a model of a remote as REMOTE/MODEL, e.g. phi chat lab/MODEL",
    "eval tiny-phi --remote=lab": "name a model of a remote as REMOTE/MODEL, e.g. phi eval lab/MODEL",
    "bench tiny-phi --remote": "name a model of a remote as REMOTE/MODEL, e.g. phi bench REMOTE/MODEL",
    "eval tiny-phi --temp 0": "leave it out: phi eval asks at temperature 0",
    "eval tiny-phi -o table.md": "write the table to a file: phi eval … --markdown > FILE",
    "data split t.jsonl -o new": "name both files: --training-output FILE --validation-output FILE",
    "batch in.csv --limit 5": "to try the first lines: head -n 5 IN | phi batch - --input-format csv --out try.csv",
}


@pytest.mark.parametrize("line", OPTIONS)
def test_an_option_of_another_program(capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert main([*shlex.split(line), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    typed = next(word for word in line.split() if word.startswith("-")).partition("=")[0]
    assert error["message"] == f"no such option: {typed}"
    assert error["hint"].startswith(OPTIONS[line])


ARGUMENTS = {
    "batch": ("missing argument: IN", "usage: phi batch IN [MODEL] --out OUT; see phi batch --help"),
    "remotes add lab": ("missing argument: URL", "usage: phi remotes add NAME URL; see phi remotes add --help"),
    "adapters rm": ("missing argument: NAME", "usage: phi adapters rm NAME ...; see phi adapters rm --help"),
    "adapters merge a b": (
        "missing argument: OUT.gguf",
        "usage: phi adapters merge MODEL ADAPTER[:SCALE] OUT.gguf; see",
    ),
    "pull": ("missing argument: MODEL", "usage: phi pull MODEL; see phi pull --help"),
    "finetune train.jsonl": ("missing argument: TRAIN.jsonl", "usage: phi finetune FOLDER TRAIN.jsonl"),
    "data convert a.csv b.jsonl": ("unexpected argument: b.jsonl", "usage: phi data convert [FILE] [--out OUT]; see"),
    "batch a.csv b.csv tiny-phi": ("unexpected argument: tiny-phi", "usage: phi batch IN [MODEL] --out OUT; see"),
    "batch a.csv m --choice yes no": ("unexpected argument: no", "put commas between the words: --choice yes,no"),
    "batch a.csv m --choice a b c": ("unexpected argument: b c", "put commas between the words: --choice a,b,c"),
    "serve --port abc": ("--port abc is not a whole number", "see the help of --port: phi serve --help"),
    "chat m -n 2.5": ("--max-tokens 2.5 is not a whole number", "see the help of --max-tokens: phi chat --help"),
    "finetune a b --split ten": ("--split ten is not a number", "see the help of --split: phi finetune --help"),
    "finetune a b --split 5%": ("--split 5% is not a number", "write a share, such as --split 0.05; see: phi finetune"),
    "chat m -n 0": ("--max-tokens 0 is not between 1 and 2147483647", "see the help of --max-tokens: phi chat --help"),
}


@pytest.mark.parametrize("line", ARGUMENTS)
def test_arguments_that_make_no_sense(capsys: pytest.CaptureFixture[str], line: str) -> None:
    message, hint = ARGUMENTS[line]
    assert main([*line.split(), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"] == message
    assert error["hint"].startswith(hint)


def test_a_group_alone_names_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remotes"]) == 2
    message, _, hint = capsys.readouterr().err.partition("→")
    assert "phi remotes requires a command" in message
    assert "choose one of add, list, test, rm; see phi remotes --help" in hint


def options_of(command: str) -> set[str]:
    within, _, name = command.rpartition(" ")
    return {
        option for parameter in build(within, name).params for option in (*parameter.opts, *parameter.secondary_opts)
    }


COMMANDS = [f"{name} {inner}".strip() for name in SUMMARIES for inner in GROUPS.get(name, ("",))]


def test_what_is_proposed_is_an_option_of_some_command() -> None:
    options = {command: options_of(command) for command in COMMANDS}
    assert set(_OTHER_NAMES) <= set().union(*options.values())
    for command, option in _WITHOUT:
        assert option not in options[command]
        assert set(re.findall(r"--[a-z-]+", _WITHOUT[command, option])) <= options[command]
