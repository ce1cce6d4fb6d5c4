"""The process that trains, replaced by scripts that say and do what it may say and do."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import DoesNotFitError, PhiError, UsageError
from phicli.finetune.run_folder import RunFolder
from phicli.finetune.supervising import TrainingFailedError, TrainingProcess, with_less_memory

pytestmark = pytest.mark.process

RECIPE = {"micro_batch": 4, "checkpointing": False}


def process(tmp_path: Path, script: str, recipe: dict[str, Any] = RECIPE) -> TrainingProcess:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir(exist_ok=True)
    folder.write({"identity": {}, "recipe": recipe, "command": "phi finetune model train.jsonl"})
    start = """import json, os, sys, time
def say(event, **facts):
    print(json.dumps({'event': event, **facts}), flush=True)
"""
    (tmp_path / "script.py").write_text(start + textwrap.dedent(script))
    return TrainingProcess(folder, [sys.executable, str(tmp_path / "script.py")])


def failure(tmp_path: Path, script: str, recipe: dict[str, Any] = RECIPE) -> PhiError:
    with process(tmp_path, script, recipe) as running, pytest.raises(PhiError) as error:
        for _ in running.events():
            pass
    return error.value


def test_events_come_in_order_and_orders_arrive(tmp_path: Path) -> None:
    script = """
        say('measured', seconds=1)
        assert sys.stdin.readline() == 'go\\n'
        say('step', step=1, loss=2.0)
        assert sys.stdin.readline() == 'stop\\n'
        say('stopped', step=1)
    """
    seen = []
    with process(tmp_path, script) as running:
        for event in running.events():
            seen.append(event["event"])
            if event["event"] == "measured":
                running.go()
            if event["event"] == "step":
                running.stop()
    assert seen == ["measured", "step", "stopped"]


def test_before_the_training_began_a_stop_ends_at_once(tmp_path: Path) -> None:
    seen = []
    with process(tmp_path, "say('loaded', step=0)\ntime.sleep(600)") as running:
        for event in running.events():
            seen.append(event["event"])
            running.stop()
    assert seen == ["loaded"]


def test_out_of_memory_names_the_command_with_a_smaller_batch(tmp_path: Path) -> None:
    error = failure(tmp_path, "say('step', step=200, loss=1.0)\nsay('failed', kind='memory', reason='x')")
    assert isinstance(error, DoesNotFitError)
    assert error.message.endswith("after step 200")
    assert error.hint.endswith("phi finetune model train.jsonl --micro-batch 2")


def test_a_killed_process_is_out_of_memory(tmp_path: Path) -> None:
    again = {"micro_batch": 1, "checkpointing": False}
    error = failure(tmp_path, "os.kill(os.getpid(), 9)", again)
    assert "killed" in error.message
    assert error.hint.endswith("train.jsonl --checkpointing")


@pytest.mark.parametrize(
    ("recipe", "option"),
    [
        ({"micro_batch": 8, "checkpointing": True}, "--micro-batch 4"),
        ({"micro_batch": 3, "checkpointing": False}, "--micro-batch 1"),
        ({"micro_batch": 1, "checkpointing": False}, "--checkpointing"),
        ({"micro_batch": 1, "checkpointing": True}, None),
        ({}, None),
    ],
)
def test_what_needs_less_memory(recipe: dict[str, Any], option: str | None) -> None:
    assert with_less_memory(recipe) == option


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("disk", DoesNotFitError, "is full"),
        ("file", UsageError, "cannot read or write a file: why"),
        ("loss", TrainingFailedError, "failed: why"),
        ("training", TrainingFailedError, "failed: why"),
    ],
)
def test_failures_have_their_own_errors(tmp_path: Path, kind: str, error: type[PhiError], words: str) -> None:
    raised = failure(tmp_path, f"say('failed', kind='{kind}', reason='why')")
    assert type(raised) is error
    assert words in raised.message


@pytest.mark.parametrize("script", ["sys.exit(3)", "print('{\"event\": \"st', end='', flush=True)\nsys.exit(3)"])
def test_a_process_that_ends_by_itself_is_an_error(tmp_path: Path, script: str) -> None:
    assert "ended (status 3)" in failure(tmp_path, script).message


def test_what_the_process_wrote_last_is_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "training.log").write_text("ValueError: of the run before\n")
    assert failure(tmp_path, "sys.exit(3)").message.endswith("ended (status 3)")
    said = failure(tmp_path, "raise KeyError('the weights')").message
    assert said == "the process that trains ended (status 1): KeyError: 'the weights'"
    said = failure(tmp_path, "print('x' * 500_000, file=sys.stderr)\nsys.exit(3)").message
    assert len(said) < 400


def refuse(running: TrainingProcess) -> None:
    next(iter(running.events()))
    raise DoesNotFitError("it would take too long", "allow more time")


def test_an_error_here_ends_a_process_that_has_not_begun(tmp_path: Path) -> None:
    script = (
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nsay('measured', seconds=9)\ntime.sleep(600)"
    )
    running = process(tmp_path, script)
    with pytest.raises(DoesNotFitError), running:
        refuse(running)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_end_of_this_process_ends_the_training_with_a_checkpoint(tmp_path: Path) -> None:
    script = f"say('measured', seconds=9)\nsys.stdin.read()\nopen({str(tmp_path / 'saved')!r}, 'w').write('yes')"
    with process(tmp_path, script) as running:
        for _ in running.events():
            running.go()
            break
    assert (tmp_path / "saved").read_text() == "yes"


def test_what_the_process_says_beside_its_events_is_in_the_log(tmp_path: Path) -> None:
    assert "status 1" in failure(tmp_path, "raise ValueError('odd')").message
    assert "ValueError: odd" in (tmp_path / "run" / "training.log").read_text()
