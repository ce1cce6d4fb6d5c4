"""What a stream says while its answer has no text yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from phicli.answering.types import Event
from phicli.engine.types import Prefill
from phicli.server.http.stream import DONE, parts_of
from phicli.server.openai.chat_reply import ChatReply


class Reading:
    """Answers whose prompts are processed, and that then end; the first event makes a chunk with the role."""

    loading = False

    async def batches(self, patience_s: float) -> AsyncIterator[list[tuple[int, Event]]]:
        del patience_s
        for processed in (128, 256, 384):
            yield [(0, Prefill(processed, 384, 0))]


@pytest.mark.parametrize(("beat_s", "comments"), [(0.0, 2), (3600.0, 0)])
def test_comments_come_while_a_long_prompt_is_processed(beat_s: float, comments: int) -> None:
    async def parts() -> list[bytes]:
        reply = ChatReply("tiny-phi")
        made = parts_of(Reading(), reply, usage=False, beat_s=beat_s)  # type: ignore[arg-type]
        return [part async for part in made]

    said = asyncio.run(parts())
    working = [part for part in said if part == b": working\n\n"]
    assert (len(working), said[-1]) == (comments, DONE)
