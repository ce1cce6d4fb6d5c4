from __future__ import annotations

from pathlib import Path

import pytest

from phicli.chat.store.sessions import Sessions


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def sessions(tmp_path: Path, notices: list[str]) -> Sessions:
    return Sessions(tmp_path / "data" / "sessions.sqlite", on_notice=notices.append)
