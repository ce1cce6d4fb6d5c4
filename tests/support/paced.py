"""``phi`` whose engines need a fixed time for each token: ``python -P paced.py MS serve tiny-phi``.

Real prompts, real answers and the real server; only the pace is not that of the machine. So several servers on one
machine behave as if each had a machine of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from typing import Any

from phicli.engine.closable import Closable, Closing
from phicli.engine.http_engine import HttpEngine
from phicli.engine.types import Chunk, GenerationEvent


def pace(token_s: float) -> None:
    """From now on an answer of any engine takes ``token_s`` seconds for each token, whatever else is answered."""
    generate = HttpEngine.generate

    def paced(self: HttpEngine, *arguments: Any, **named: Any) -> Closable[GenerationEvent]:
        generation = generate(self, *arguments, **named)

        def events(closing: Closing) -> Generator[GenerationEvent, None, None]:
            due = time.monotonic()
            with closing.woken_by(generation.close):
                for event in generation:
                    if isinstance(event, Chunk):
                        due += token_s * max(event.tokens, 1)
                        time.sleep(max(due - time.monotonic(), 0))
                    yield event

        return Closable(events)

    HttpEngine.generate = paced  # type: ignore[method-assign]


def _main() -> None:
    pace(float(sys.argv.pop(1)) / 1000)
    from phicli.__main__ import entry

    entry()


if __name__ == "__main__":
    _main()
