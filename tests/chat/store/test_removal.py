"""Sessions that are removed: their words and their space go too."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.store.sessions import Sessions
from tests.support.disks import small_file_system
from tests.support.sessions import dialogue_of


def test_the_space_of_removed_sessions_is_given_back(sessions: Sessions) -> None:
    kept = sessions.create("kept", "m", dialogue_of(2))
    small = sessions.path.stat().st_size
    for number in range(20):
        text = " ".join(f"word{number * place}" for place in range(2000))
        sessions.create(f"s{number}", "m", Dialogue(None, (Turn("x", (Attachment("a", text),)),)))
    assert sessions.path.stat().st_size > 10 * small
    sessions.remove([f"s{number}" for number in range(20)])
    assert sessions.path.stat().st_size <= 2 * small
    assert sessions.get("kept") == kept
    assert sessions.search("question 2", limit=3)[0].turn == 2


@pytest.mark.process
def test_sessions_can_be_removed_where_there_is_little_space(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=3m") as disk:
        sessions = Sessions(disk / "sessions.sqlite")
        sessions.create("kept", "m", dialogue_of(2))
        text = " ".join(f"word{number}" for number in range(20_000))
        for name in ("one", "two"):
            sessions.create(name, "m", Dialogue(None, (Turn("x", (Attachment("a", text),)),)))
        size = sessions.path.stat().st_size
        (disk / "filler").write_bytes(b"x" * ((3 << 20) - size - (size * 6 // 10)))
        assert [info.name for info in sessions.remove(["one"])] == ["one"]
        assert sorted(info.name for info in sessions.list()) == ["kept", "two"]
        assert sessions.get("kept").dialogue == dialogue_of(2)
