"""A run from its beginning to its end and across interruptions, with a trainer that only counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytestmark = pytest.mark.finetune
torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from phicli.finetune import checkpoints, sitting  # noqa: E402
from phicli.finetune.examples import TrainingPair  # noqa: E402
from phicli.finetune.failures import LossError, WeightsError  # noqa: E402
from phicli.finetune.options import Recipe  # noqa: E402
from phicli.finetune.pairs_file import write_pairs  # noqa: E402
from phicli.finetune.run_folder import RunFolder  # noqa: E402
from tests.support.checkpoint_files import write_no_adapter, write_no_tensors  # noqa: E402

BORDER = 20
"""LongRoPE's: longer examples are not computed with shorter ones."""


class Counting:
    """Stands for the Trainer: what it has learned is how many steps it made."""

    parameters: tuple[Any, ...] = ()
    losses: tuple[float, ...] = ()
    measured = 0.0
    validations: tuple[float, ...] = ()
    failure: Exception | None = None
    fails_in = -1
    tried: ClassVar[list[int]] = []

    def __init__(self, folder: Path, name: str, recipe: Recipe, stopped: Any) -> None:
        self.recipe, self.learned, self.trainable, self.stopped = recipe, 0, 1, stopped

    def step(self, schedule: Any, pairs: Any, step: int, *, learn: bool = True) -> float | None:
        if not learn:
            return self.measured
        if self.stopped():
            return None
        if step == self.fails_in and self.failure is not None:
            raise self.failure
        assert step == self.learned
        self.learned += 1
        return self.losses[step] if self.losses else 1.0 / (step + 1)

    def evaluate(self, schedule: Any, pairs: Any, only: Any = None) -> float | None:
        numbers = range(len(pairs)) if only is None else only
        micros = [[pairs.lengths[one] for one in micro] for micro in schedule.grouped(numbers)]
        assert not [micro for micro in micros if min(micro) <= BORDER < max(micro)]
        if only is not None:  # before the training it is only tried
            self.tried.append(max(max(micro) * len(micro) for micro in micros))
            return 0.0
        return None if self.stopped() else self.validations[self.learned - 1]

    def forget(self) -> None: ...

    def save_adapter(self, folder: Path) -> None:
        write_no_adapter(folder)
        (folder / "learned").write_text(str(self.learned))

    def save_optimizer(self, path: Path) -> None:
        write_no_tensors(path)

    def load(self, adapter: Path, optimizer: Path) -> None:
        self.learned = int((adapter / "learned").read_text())


class Orders:
    """Told to stop when it has been asked so many times."""

    def __init__(self, after: int = 10**9) -> None:
        self.stop, self._left = self, after

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self) -> None: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    trainer = type("Trainer", (Counting,), {"tried": []})
    monkeypatch.setattr(sitting, "Trainer", trainer)
    return Run(RunFolder(tmp_path / "run"), trainer)


class Run:
    """A run of ten steps in a folder."""

    def __init__(self, folder: RunFolder, trainer: Any) -> None:
        self.folder, self.trainer = folder, trainer
        self.events: list[dict[str, Any]] = []
        folder.path.mkdir()
        write_pairs(folder.train, [TrainingPair((1, 2, 3), 1)] * 10)

    def validate(self, *losses: float) -> None:
        write_pairs(self.folder.validation, [TrainingPair((1, 2, 3), 1)] * 3)
        self.trainer.validations = losses

    def go(self, orders: Any = None, **recipe: Any) -> dict[str, Any]:
        made = Recipe(**{"batch_size": 1, "evaluations": 5, **recipe}).to_data()
        facts = {"recipe": made, "threads": 1, "save_every_s": 0, "base": {"path": ".", "name": "x", "border": BORDER}}
        self.events.clear()
        sitting.train(
            self.folder, facts, lambda event, **more: self.events.append({"event": event, **more}), orders or Orders()
        )
        return self.events[-1]

    def named(self, event: str) -> list[int]:
        return [one["step"] for one in self.events if one["event"] == event]


def test_validations_are_spread_and_the_best_adapter_is_taken(run: Run) -> None:
    run.validate(*(9, 8, 7, 6, 5, 4, 5, 6, 7, 8))
    done = run.go(patience=0)
    assert run.named("validation") == [2, 4, 6, 8, 10]
    assert (done["event"], done["step"], done["early"]) == ("done", 10, False)
    assert (run.folder.adapter / "learned").read_text() == "6"


def test_validation_data_are_grouped_by_their_own_lengths(run: Run) -> None:
    lengths = (*(30, 3) * 8, 40)  # more examples than the training data, and longer ones
    run.validate(*range(10, 0, -1))
    write_pairs(run.folder.validation, [TrainingPair((1,) * length, 1) for length in lengths])
    assert run.go(micro_batch=4, batch_size=4)["event"] == "done"
    assert max(run.trainer.tried) == 4 * 40  # the largest micro-batch comes before the training


def test_more_validations_than_steps_are_one_for_each_step(run: Run) -> None:
    run.validate(*range(10, 0, -1))
    run.go(evaluations=50)
    assert run.named("validation") == list(range(1, 11))


def test_patience_stops_early(run: Run) -> None:
    run.validate(*(9, 8, 7, 6, 7, 8, 9, 9, 9, 9))
    done = run.go(patience=2)
    assert run.named("validation") == [2, 4, 6, 8]
    assert (done["step"], done["early"]) == (8, True)
    assert (run.folder.adapter / "learned").read_text() == "4"
    assert run.go(patience=2)["early"]  # the same command once more
    assert run.named("step") == []


@pytest.mark.parametrize("after", range(1, 60, 3))
def test_a_run_that_is_stopped_anywhere_continues_as_if_it_was_not(run: Run, after: int) -> None:
    run.validate(*(9, 8, 7, 6.0000001, 7, 6.0000002, 7, 6, 5, 4))
    stopped = run.go(Orders(after))
    assert stopped["event"] in ("stopped", "done")
    done = stopped if stopped["event"] == "done" else run.go()
    assert [step for step, _ in done["losses"]] == list(range(1, 11))
    assert list(map(tuple, done["validations"])) == [(2, 8), (4, 6.0), (6, 6.0), (8, 6), (10, 4)]
    assert (run.folder.adapter / "learned").read_text() == "10"


def test_out_of_memory_saves_what_was_learned(run: Run) -> None:
    run.trainer.failure, run.trainer.fails_in = RuntimeError("DefaultCPUAllocator: can't allocate memory"), 7
    with pytest.raises(MemoryError, match="allocate memory"):
        run.go()
    found = checkpoints.latest(run.folder.checkpoints)
    assert found is not None
    assert found.step == 7
    run.trainer.failure = None
    assert run.go(micro_batch=1)["step"] == 10


def test_other_failures_are_not_taken_for_it(run: Run) -> None:
    run.trainer.failure, run.trainer.fails_in = RuntimeError("shapes do not match"), 3
    with pytest.raises(RuntimeError, match="shapes"):
        run.go()


def test_a_loss_that_is_not_a_number_ends_the_run(run: Run) -> None:
    run.trainer.losses = (1.0, 0.5, float("nan"))
    with pytest.raises(LossError, match="not a number in step 3"):
        run.go()


def test_a_model_that_computes_no_numbers_is_not_taken_for_a_learning_rate(run: Run) -> None:
    run.trainer.measured = float("nan")
    with pytest.raises(WeightsError, match="before it has learned"):
        run.go()


def test_a_validation_loss_that_is_not_a_number_ends_the_run(run: Run) -> None:
    run.validate(*(9, float("nan"), *range(8, 0, -1)))
    with pytest.raises(LossError, match="validation loss is not a number after step 2"):
        run.go()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_adapter_that_is_no_numbers_is_never_saved(run: Run, value: float) -> None:
    run.trainer.parameters = (torch.ones(2), torch.tensor([1.0, value]))
    with pytest.raises(LossError, match="after step 1"):
        run.go()
    assert not run.folder.adapter.exists()
    assert checkpoints.latest(run.folder.checkpoints) is None


def test_a_best_adapter_that_is_damaged_is_not_the_result(run: Run) -> None:
    run.validate(*(9, 8, 7, 6, 5, 4, 5, 6, 7, 8))
    run.go(patience=0)
    (run.folder.best / "adapter_model.safetensors").unlink()
    run.go(patience=0)
    assert (run.folder.adapter / "learned").read_text() == "10"
    assert {"event": "damaged", "name": "best"} in run.events


@pytest.mark.parametrize(
    "name", ["state.json", "optimizer.safetensors", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"]
)
@pytest.mark.parametrize("gone", [False, True])
def test_a_checkpoint_that_is_damaged_is_passed_over(run: Run, name: str, gone: bool) -> None:
    run.go(Orders(12))
    found = checkpoints.latest(run.folder.checkpoints)
    assert found is not None
    if gone:
        (found.folder / name).unlink()
    else:
        (found.folder / name).write_text("{")
    assert run.go()["step"] == 10
    assert run.events[0] == {"event": "damaged", "name": found.folder.name}
    assert run.events[1]["step"] == found.step - 1
    assert json.loads((run.folder.checkpoints / "step-0000010" / "state.json").read_text())["step"] == 10
