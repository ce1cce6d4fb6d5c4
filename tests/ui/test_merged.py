"""What is said about a merged model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from phicli.adapters.merging import Merge, Merged
from phicli.ui.adapters.adding import print_merged
from phicli.ui.terminal import Terminal


@pytest.mark.parametrize(("scale", "said"), [(1.0, "style"), (0.5, "style:0.5"), (0.0, "style:0")])
def test_the_scale_is_named(scale: float, said: str, tmp_path: Path) -> None:
    nothing: Any = None
    stderr = io.StringIO()
    terminal = Terminal(io.StringIO(), io.StringIO(), stderr, colour=False)
    what = Merge(nothing, "tiny-phi", nothing, "style", scale)
    print_merged(terminal, what, Merged(tmp_path / "out.gguf", 1, 16), as_json=False)
    assert stderr.getvalue().startswith(f"{said} is merged into tiny-phi: phi chat ")
