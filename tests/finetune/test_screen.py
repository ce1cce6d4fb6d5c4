"""What a training shows on a terminal while it goes on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from phicli.finetune.base_folder import BaseFolder, Shape
from phicli.finetune.batching import Load
from phicli.finetune.devices import Device
from phicli.finetune.options import Recipe
from phicli.finetune.planning import needs_of
from phicli.finetune.preparing import Prepared, Wish
from phicli.finetune.run_folder import RunFolder
from phicli.ui import finetune
from phicli.ui.terminal import Terminal
from tests.ui.test_terminal import shown


class Screen(io.StringIO):
    """A terminal with a line that changes; text that stays may not be written behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        assert not self.busy, f"{text!r} stands behind the line that changes"
        return super().write(text)


def test_text_that_stays_does_not_stand_behind_a_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Screen()

    class Line:
        def __init__(self, terminal: Terminal) -> None:
            pass

        def update(self, text: str) -> None:
            stderr.busy = True

        def clear(self) -> None:
            stderr.busy = False

    monkeypatch.setattr(finetune, "StatusLine", Line)
    screen = finetune.TrainingScreen(Terminal(io.StringIO(), io.StringIO(), stderr, colour=False), 200)
    with screen:
        for event in (
            {"event": "waiting"},
            {"event": "loaded", "step": 64, "losses": [[63, 2.5], [64, 2.0]], "validations": []},
            {"event": "measured", "seconds": 3.0, "peak_bytes": 1},
            {"event": "step", "step": 65, "loss": 1.0},
            {"event": "validation", "step": 65, "loss": 1.5, "best": True},
            {"event": "saved", "step": 65},
            {"event": "done", "step": 65, "early": False, "seconds": 3.0, "peak_bytes": 1},
        ):
            screen.show(event)
    said = stderr.getvalue().splitlines()
    assert said[:3] == [
        "continuing after step 64 of 200", "measured: about 3 s from now on",
        "step 65: validation loss 1.5000, the best so far",
    ]  # fmt: skip
    assert said[3].startswith("loss ")
    assert said[3].endswith(" 1.0000")


def test_what_a_dry_run_is_asked_for_goes_to_standard_output(tmp_path: Path) -> None:
    base = BaseFolder(
        tmp_path, "tiny-phi", Shape(1400, 128, 384, 4, 4, 2, 32, 1024, 256, tied=True), "phi-4-mini",
        reasoning=False, tokenizer={},
    )  # fmt: skip
    recipe = Recipe(micro_batch=4)
    wish = Wish(
        base, "train.jsonl", None, None, recipe, RunFolder(tmp_path / "run"), Device("cpu", "CPU", 1 << 30), 1, 60.0,
        "phi finetune",
    )  # fmt: skip
    needs = needs_of(base.shape, recipe, Load(20, 12))
    prepared = Prepared(recipe, needs, 3, 21, 0, 63, 1 << 30, 1 << 40, resumed=False)
    rehearsal, run = (Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False) for _ in "ab")
    finetune.print_rehearsed(rehearsal, prepared, wish, as_json=False)
    finetune.print_plan(run, prepared, wish)
    assert shown(rehearsal.stdout) == shown(run.stderr)
    assert (shown(rehearsal.stderr), shown(run.stdout)) == ("", "")
    assert "data     21 answers, 63 tokens to learn\n" in shown(rehearsal.stdout)
