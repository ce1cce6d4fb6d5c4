"""JSON files in the folder of a run that a person edited, or that lost something: an error in words, or made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.finetune import checkpoints
from phicli.finetune.adapter_of_run import adapter_of_run
from phicli.finetune.run_folder import RunFolder
from tests.support.checkpoint_files import STATE, write_checkpoint, write_no_adapter

ADD = "phi adapters add"
IDENTITY = {"seed": 0, "rank": 16}
RUN = {"identity": IDENTITY, "files": {}, "recipe": {}, "command": "phi finetune model train.jsonl --out 'my run'"}
RESULT = {
    "step": 11, "early": False, "seconds": 3.5, "peak_bytes": 1 << 29, "needed_memory_bytes": 1 << 29, "loss": 0.1,
    "validation_loss": None, "estimated_s": 4.0,
}  # fmt: skip
ACCEPTED = {
    "early": (True,),
    "seconds": (-1, 1.5),
    **dict.fromkeys(("loss", "validation_loss", "estimated_s"), (None, -1, 1.5)),
}
NOT_JSON: tuple[str, ...] = ("", "{", "[" * 100_000, '{"identity": {}},', "{'identity': {}}")
VALUES: tuple[Any, ...] = (None, -1, 1.5, "x", [], [1], True, 10**400, float("nan"), float("inf"), {"a": -1})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "my run")
    made.path.mkdir()
    made.write(RUN)
    checkpoints.save(made.checkpoints, 3, STATE, write_checkpoint)
    return made


def put(folder: RunFolder, name: str, content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder.path / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("text", [*NOT_JSON, "[]", "null", "1", '"run"'])
def test_a_run_that_is_not_a_json_object_is_damaged(folder: RunFolder, text: str) -> None:
    assert folder.check(IDENTITY)
    put(folder, "run.json", text)
    with pytest.raises(IntegrityError, match=r"run\.json is damaged: it is not (a )?JSON") as caught:
        folder.check(IDENTITY)
    assert caught.value.hint == "undo the change in it, or choose another folder: --out FOLDER"
    write_no_adapter(folder.adapter)
    with pytest.raises(IntegrityError) as caught:
        folder.check(IDENTITY)
    assert caught.value.hint.endswith(f"its adapter is complete: phi adapters add '{folder.adapter}'")


@pytest.mark.parametrize("key", [*RUN, "format", "versions"])
@pytest.mark.parametrize("value", [*VALUES, "gone"])
def test_a_run_with_any_value_is_damaged_or_continued(folder: RunFolder, key: str, value: object) -> None:
    put(folder, "run.json", {name: one for name, one in {**RUN, key: value}.items() if one != "gone"})
    if key == "identity" and value == {"a": -1}:
        with pytest.raises(UsageError, match="has another run: a, rank, seed changed"):
            folder.check(IDENTITY)
    elif key == "identity" or (key == "files" and value != "gone"):
        with pytest.raises(IntegrityError, match=rf"run\.json is damaged: {key} is not an object"):
            folder.check(IDENTITY)
    else:
        assert folder.check(IDENTITY)


def test_a_run_of_a_newer_phi_is_named_as_such(folder: RunFolder) -> None:
    assert json.loads((folder.path / "run.json").read_text())["format"] == 1
    put(folder, "run.json", {**RUN, "format": 2})
    with pytest.raises(IntegrityError, match=r"a newer phi wrote .*run\.json \(format 2\)") as caught:
        folder.check(IDENTITY)
    assert caught.value.hint == "upgrade phi; or choose another folder: --out FOLDER"


def test_a_run_of_another_program_is_not_one_of_phi(folder: RunFolder) -> None:
    put(folder, "run.json", {"project": "somebody's"})
    with pytest.raises(UsageError, match="exists and is not the folder of a run"):
        folder.check(IDENTITY)
    (folder.path / "run.json").unlink()
    (folder.path / "run.json").mkdir()
    with pytest.raises(UsageError, match="cannot be read: it is not a regular file"):
        folder.check(IDENTITY)


@pytest.mark.parametrize("key", [*RESULT])
@pytest.mark.parametrize("value", [*VALUES, {}, "gone"])
def test_a_result_that_lacks_something_is_made_again(folder: RunFolder, key: str, value: object) -> None:
    write_no_adapter(folder.adapter)
    folder.write_result(RESULT)
    assert folder.result() == RESULT
    put(folder, "result.json", {name: one for name, one in {**RESULT, key: value}.items() if one != "gone"})
    assert (folder.result() is not None) == (value in ACCEPTED.get(key, ()))


@pytest.mark.parametrize("text", [*NOT_JSON, "[]", None])
def test_a_finished_run_is_never_trained_again_in_silence(folder: RunFolder, text: str | None) -> None:
    write_no_adapter(folder.adapter)
    if text is not None:
        put(folder, "result.json", text)
    assert folder.result() is None  # the last checkpoint says what came of it
    put(folder, "checkpoints/step-0000003/state.json", "{")
    with pytest.raises(
        IntegrityError, match=r"has an adapter, but neither its result\.json nor a checkpoint"
    ) as caught:
        folder.result()
    assert f"phi adapters add '{folder.adapter}'" in caught.value.hint


CURVES = ([[1]], [[1, 2, 3]], [[0, 1.0]], [[4, 1.0]], [[1.5, 1.0]], [[1, "x"]], [[1, float("nan")]], [[1, 10**400]])


@pytest.mark.parametrize("key", ["step", "worse", "losses", "validations"])
@pytest.mark.parametrize("value", [*VALUES[:3], *VALUES[5:], *CURVES, "x", "gone"])
def test_a_checkpoint_with_any_value_is_passed_over(folder: RunFolder, key: str, value: object) -> None:
    assert checkpoints.latest(folder.checkpoints) is not None
    state = {**STATE, "step": 3, key: value}
    put(folder, "checkpoints/step-0000003/state.json", {name: one for name, one in state.items() if one != "gone"})
    assert checkpoints.latest(folder.checkpoints) is None
    assert checkpoints.damaged(folder.checkpoints) == ("step-0000003",)


@pytest.mark.parametrize("text", [*NOT_JSON, "[]", None])
def test_an_adapter_whose_settings_are_damaged_is_none(folder: RunFolder, text: str | None) -> None:
    path = "checkpoints/step-0000003/adapter/adapter_config.json"
    if text is None:
        (folder.path / path).unlink()
    else:
        put(folder, path, text)
    assert checkpoints.damaged(folder.checkpoints) == ("step-0000003",)


def test_the_folder_of_a_run_means_its_finished_adapter(folder: RunFolder, tmp_path: Path) -> None:
    write_no_adapter(folder.best)
    write_no_adapter(folder.adapter)
    assert adapter_of_run(folder.path, ADD) == folder.adapter
    put(folder, "run.json", "{")
    assert adapter_of_run(folder.path, ADD) == folder.adapter
    for other in (tmp_path, folder.adapter, tmp_path / "none", folder.path / "run.json"):
        assert adapter_of_run(other, ADD) is None


def test_a_run_that_is_not_finished_has_no_adapter_that_is_meant(folder: RunFolder) -> None:
    with pytest.raises(UsageError, match="is a run of phi finetune that is not finished") as caught:
        adapter_of_run(folder.path, ADD)
    newest = folder.checkpoints / "step-0000003" / "adapter"
    so_far = f"or use what it has learned so far: {ADD} '{newest}'"
    assert caught.value.hint == f"finish it: {RUN['command']}; {so_far}"
    write_no_adapter(folder.best)
    put(folder, "run.json", {**RUN, "command": ["rm"]})
    with pytest.raises(UsageError) as caught:
        adapter_of_run(folder.path, ADD)
    assert caught.value.hint.startswith("finish it with the same command; or use ")
    assert caught.value.hint.endswith(f"{ADD} '{folder.best}'")
    put(folder, "run.json", "{")
    assert adapter_of_run(folder.path, ADD) is None


def test_a_run_that_has_learned_nothing_has_no_adapter(tmp_path: Path) -> None:
    made = RunFolder(tmp_path)
    made.write(RUN)
    with pytest.raises(NotFoundError, match="has learned nothing yet") as caught:
        adapter_of_run(tmp_path, ADD)
    assert caught.value.hint == f"finish it: {RUN['command']}"
