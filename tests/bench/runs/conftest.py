from __future__ import annotations

from pathlib import Path

import pytest

from phicli.records.history import History


@pytest.fixture
def kept(tmp_path: Path) -> History:
    return History(tmp_path / "data" / "runs.sqlite")
