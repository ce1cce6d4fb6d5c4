"""What the replies of both interfaces share: the whole reply, and the chunks of a stream."""

from __future__ import annotations

import functools
import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from phicli.answering.types import Answer, Event
from phicli.engine.starting import build_of
from phicli.server.openai.usage import usage


class Reply:
    """The reply to one request; ``model`` is the name that was asked for.

    With ``usage_chunk`` a stream ends with a chunk that has the usage, and every other chunk has none.
    """

    id_begins: ClassVar[str]
    whole_object: ClassVar[str]
    chunk_object: ClassVar[str]

    def __init__(self, model: str, *, usage_chunk: bool = False) -> None:
        self._head = {
            "id": f"{self.id_begins}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": fingerprint(),
        }
        self._no_usage: dict[str, Any] = {"usage": None} if usage_chunk else {}

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The reply with all ``answers``, in their order."""
        choices = [self._choice(index, answer) for index, answer in enumerate(answers)]
        return {**self._head, "object": self.whole_object, "choices": choices, "usage": usage(answers)}

    def chunks(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that ``event`` of the answer number ``index`` makes."""
        raise NotImplementedError

    def usage_chunk(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The last chunk of a stream whose usage is wanted; ``answers`` are all of them."""
        return {**self._head, "object": self.chunk_object, "choices": [], "usage": usage(answers)}

    def _choice(self, index: int, answer: Answer) -> dict[str, Any]:
        raise NotImplementedError

    def _chunk(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._head, "object": self.chunk_object, "choices": [dict(choice)], **self._no_usage}


@functools.cache
def fingerprint() -> str:
    """Stands for the build of the engine: with another one, the same seed may give another answer."""
    return f"fp_{hashlib.sha256(build_of().encode()).hexdigest()[:12]}"
