"""What a training shows on a terminal while it goes on."""

from __future__ import annotations

import io

import pytest

from phicli.ui import finetune
from phicli.ui.terminal import Terminal


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
