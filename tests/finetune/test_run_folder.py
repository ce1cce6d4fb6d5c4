"""Runs that are continued or refused, checkpoints that are complete or not there, models that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import IntegrityError, NotAModelError, NotFoundError, UnsupportedModelError, UsageError
from phicli.finetune import checkpoints
from phicli.finetune.base_folder import open_base
from phicli.finetune.extra import require_extra
from phicli.finetune.loss_curve import svg
from phicli.finetune.run_folder import RunFolder
from phicli.finetune.tokens import open_tokenizer
from phicli.finetune.weights import check_weights, weight_files
from phicli.jobs.locking import LockFile
from tests.support.checkpoint_files import STATE, write_checkpoint, write_no_adapter, write_no_tensors


def test_a_run_is_continued_only_as_it_was(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert not folder.check({"seed": 0})
    folder.path.mkdir()
    assert not folder.check({"seed": 0})
    folder.write({"identity": {"seed": 0}})
    assert folder.check({"seed": 0})
    folder.checkpoints.mkdir()
    (folder.checkpoints / "step-0000001").mkdir()
    with pytest.raises(UsageError, match=r"has another run: learning rate, seed changed"):
        folder.check({"seed": 1, "learning_rate": 2})


def test_a_run_that_did_not_start_is_begun_anew(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.held():
        (folder.path / ".begun").touch()  # as a run that was killed leaves it
        folder.validation.write_text("of a run with validation data")
        assert not folder.check({})
        with folder.beginning():
            assert not folder.validation.exists()
            folder.train.write_text("1 2 3\n")
        folder.write({"identity": {}})
        assert folder.check({})
    assert sorted(path.name for path in folder.path.iterdir()) == ["run.json", "train.tokens"]


def test_a_run_that_has_learned_nothing_is_replaced_by_another(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.held(), folder.beginning():
        folder.validation.write_text("1 2 3\n")
        folder.write({"identity": {"epochs": 40}})
        folder.log.write_text("of the libraries")
    assert not folder.check({"epochs": 20})
    assert folder.check({"epochs": 40})
    lock = LockFile(folder.worker_lock)  # of a process that may save a checkpoint
    assert lock.take()
    with pytest.raises(UsageError, match="has another run: epochs changed"):
        folder.check({"epochs": 20})
    lock.release()
    with folder.held(), folder.beginning():
        assert [path.name for path in folder.path.iterdir() if path.name[0] != "."] == []
        folder.train.write_text("1 2 3\n")
        folder.write({"identity": {"epochs": 20}})
    assert folder.check({"epochs": 20})
    folder.best.mkdir()
    with pytest.raises(UsageError, match="has another run: epochs changed"):
        folder.check({"epochs": 40})


def failing(folder: RunFolder) -> None:
    with folder.held(), folder.beginning():
        folder.train.write_text("1 2 3\n")
        raise KeyboardInterrupt


def test_a_run_that_fails_before_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        failing(RunFolder(tmp_path / "new" / "run"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["train.jsonl", "validation.jsonl", "train.tokens"])
def test_data_of_somebody_is_not_taken_for_a_run_that_was_begun(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="is not the folder of a run"):
        RunFolder(tmp_path).check({})


def test_only_one_process_has_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.held(), pytest.raises(UsageError, match="another phi finetune uses"), folder.held():
        pass
    with folder.held():
        assert folder.path.is_dir()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not the folder of a run"):
        RunFolder(tmp_path).check({})


def test_a_file_is_no_folder_of_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "train.jsonl")
    folder.path.write_text("mine")
    with pytest.raises(UsageError, match="is not the folder of a run"):
        folder.check({})
    with pytest.raises(UsageError, match="is not the folder of a run"), folder.held():
        pass
    assert folder.path.read_text() == "mine"


def test_the_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, {**STATE, "worse": step}, write_checkpoint)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-0000002", "step-0000003"]
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert (found.step, found.state["worse"]) == (3, 3)


def test_a_checkpoint_that_cannot_be_written_leaves_those_before_it(tmp_path: Path) -> None:
    def full(trial: Path) -> None:
        (trial / "half").write_text("x")
        raise OSError(28, "No space left on device")

    checkpoints.save(tmp_path, 1, STATE, write_checkpoint)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(tmp_path, 2, {}, full)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]
    (tmp_path / "step-0000002").mkdir()  # damaged: it has no state
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert found.step == 1


def test_checkpoints_are_found_after_ten_million_steps(tmp_path: Path) -> None:
    for step in (9_999_999, 10_000_000):
        checkpoints.save(tmp_path, step, STATE, write_checkpoint)
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert found.step == 10_000_000


@pytest.mark.parametrize("change", [{"losses": None}, {"losses": [[1]]}, {"validations": [["a", 1]]}, {"worse": "x"}])
def test_a_checkpoint_with_another_state_is_no_checkpoint(tmp_path: Path, change: dict[str, Any]) -> None:
    checkpoints.save(tmp_path, 1, {**STATE, **change}, write_checkpoint)
    assert checkpoints.latest(tmp_path) is None
    assert checkpoints.damaged(tmp_path) == ("step-0000001",)


def begun(folder: RunFolder, seed: int = 0) -> None:
    """What a run has when it starts."""
    folder.path.mkdir(exist_ok=True)
    with folder.beginning():
        folder.train.write_text("1 2 3\n")
    folder.write({"identity": {"seed": seed}, "files": folder.files()})


def test_a_run_that_never_learned_gives_way_to_another(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    begun(folder)
    assert folder.check({"seed": 0})
    assert not folder.check({"seed": 1})
    begun(folder, 1)
    checkpoints.save(folder.checkpoints, 1, STATE, write_checkpoint)
    with pytest.raises(UsageError, match="seed changed"):
        folder.check({"seed": 0})


@pytest.mark.parametrize("text", [None, "1 2\n"])
def test_tokens_that_are_gone_or_shorter_are_made_again(tmp_path: Path, text: str | None) -> None:
    folder = RunFolder(tmp_path / "run")
    begun(folder)
    checkpoints.save(folder.checkpoints, 1, STATE, write_checkpoint)
    folder.train.unlink()
    if text is not None:
        folder.train.write_text(text)
    assert not folder.check({"seed": 0})
    begun(folder)
    assert folder.check({"seed": 0})
    assert checkpoints.latest(folder.checkpoints) is not None


def test_data_that_somebody_put_into_the_folder_of_a_run_stays(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    begun(folder)
    (folder.path / "train.jsonl").write_text("mine")
    for seed in (0, 1):
        with pytest.raises(UsageError, match=r"not of its run: train\.jsonl"):
            folder.check({"seed": seed})


def test_a_result_without_its_adapter_is_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    begun(folder)
    result = dict.fromkeys(("loss", "validation_loss", "estimated_s"), 0.5)
    result |= {"step": 1, "early": False, "seconds": 1.0, "peak_bytes": 0, "needed_memory_bytes": 1}
    folder.write_result(result)
    assert folder.result() is None
    write_no_adapter(folder.adapter)
    assert folder.result() == result


def test_weights_that_are_not_all_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAModelError, match="has no weights"):
        check_weights(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text("{}")
    with pytest.raises(IntegrityError, match="is damaged"):
        check_weights(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    write_no_tensors(tmp_path / "one.safetensors")
    with pytest.raises(NotAModelError, match=r"lacks a part of the weights: two\.safetensors"):
        check_weights(tmp_path)
    header = json.dumps({"b": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (tmp_path / "two.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(15))
    with pytest.raises(IntegrityError, match="truncated"):
        check_weights(tmp_path)
    write_no_tensors(tmp_path / "two.safetensors")
    check_weights(tmp_path)
    assert [path.name for path in weight_files(tmp_path)] == ["one.safetensors", "two.safetensors"]


def test_a_folder_that_was_being_replaced_is_found_again(tmp_path: Path) -> None:
    best = tmp_path / "best"
    checkpoints.write_folder(best, lambda trial: (trial / "step").write_text("1") and None)
    best.rename(tmp_path / ".best.old")  # killed between two renames
    (tmp_path / ".best.new").mkdir()
    checkpoints.restore(best)
    assert (best / "step").read_text() == "1"
    checkpoints.write_folder(best, lambda trial: (trial / "step").write_text("2") and None)
    assert (best / "step").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_name_says_what_to_download() -> None:
    with pytest.raises(NotFoundError) as error:
        open_base("phi-4-mini")
    assert "hf download microsoft/Phi-4-mini-instruct" in error.value.hint


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAModelError, match="has no config"):
        open_base(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(NotAModelError, match="is not JSON"):
        open_base(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UnsupportedModelError, match="'llama'"):
        open_base(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "phi3"}))
    with pytest.raises(NotAModelError, match="has no weights"):
        open_base(str(tmp_path))
    with pytest.raises(UsageError, match="is a file"):
        open_base(str(tmp_path / "config.json"))


SIZES = {
    "model_type": "phi3", "vocab_size": 100, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2,
}  # fmt: skip
PHI_TOKENS = [{"id": at, "content": text} for at, text in enumerate(("<|end|>", "<|user|>", "<|assistant|>"))]


def written(folder: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> str:
    (folder / "config.json").write_text(json.dumps({**SIZES, **config}))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {}, "added_tokens": PHI_TOKENS, **tokenizer}))
    write_no_tensors(folder / "model.safetensors")
    return str(folder)


@pytest.mark.parametrize("name", sorted({*SIZES} - {"model_type"}))
@pytest.mark.parametrize("value", [None, 0, -1, 1.5, "8", [], True, 10**30, float("inf"), float("nan")])
def test_sizes_that_are_none_are_refused(tmp_path: Path, name: str, value: object) -> None:
    assert open_base(written(tmp_path, {}, {})).shape.hidden == 8
    with pytest.raises(NotAModelError, match="lacks a size"):
        open_base(written(tmp_path, {name: value}, {}))


@pytest.mark.parametrize("value", ["x", 1.5, True, [], None])
def test_rope_parameters_that_are_none_are_left_out(tmp_path: Path, value: object) -> None:
    assert open_base(written(tmp_path, {"rope_parameters": value}, {})).shape.original_context is None


@pytest.mark.parametrize(
    "added", ["x", 1, {"a": 1}, [None], [{}], [{"id": "x", "content": "a"}], [{"id": 1, "content": []}]]
)
def test_added_tokens_that_are_none_are_refused(tmp_path: Path, added: object) -> None:
    with pytest.raises(NotAModelError, match=r"tokenizer\.json cannot be used"):
        open_base(written(tmp_path, {}, {"added_tokens": added}))


@pytest.mark.parametrize("model", [None, "x", [], {}, {"type": "BPE", "vocab": []}])
def test_a_tokenizer_that_is_none_is_refused(tmp_path: Path, model: object) -> None:
    pytest.importorskip("tokenizers")
    base = open_base(written(tmp_path, {}, {"model": model}))
    with pytest.raises(NotAModelError, match=r"tokenizer\.json cannot be used"):
        open_tokenizer(base.tokenizer)


def test_a_missing_extra_names_its_size_and_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phicli.finetune.extra.PACKAGES", ("json", "no_such_package"))
    with pytest.raises(UsageError, match=r"not installed: no_such_package") as error:
        require_extra()
    assert "about 1.2 GB" in error.value.hint
    assert 'in a checkout of phi: pip install ".[finetune]"' in error.value.hint


def test_the_picture_has_both_losses() -> None:
    picture = svg("a < b", [(step, 1 / step) for step in range(1, 1000)], [(500, 0.5), (1000, 0.2)])
    assert picture.count("<circle") == 2
    assert "a &lt; b" in picture
    assert len(picture) < 20_000
