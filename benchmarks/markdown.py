"""How long rendering takes for each token of an answer in Markdown: ``python -m benchmarks.markdown``.

The answer has about 2,000 pieces of four characters, with code, tables, lists and emphasis. The target is 1 ms at the
99th percentile. Wall time, and CPU time for busy machines; the percentiles are medians of several rounds, without the
round that loads the libraries.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from phicli.ui.markdown.stream import MarkdownStream

PIECE = 4
PIECES = 2000
ROUNDS = 5
TARGET_MS = 1.0
SECTION = """## A section of the answer

The **quick brown** fox jumps over the `lazy` dog, and a [link](https://example.com/page) follows it through the wood.

```python
def area(width: float, height: float) -> float:
    \"\"\"Return the area.\"\"\"
    return width * height  # in square meters
```

- one item with *some emphasis* in it
- another item, which is a little longer than the line before it

| name | value | note |
|------|------:|------|
| one | 1 | **first** |
| two | 22 | `second` |

"""


def seconds(pieces: list[str], clock: Callable[[], float]) -> list[float]:
    """What rendering each piece takes by ``clock``, in seconds and in order of size."""
    stream, result = MarkdownStream(lambda: 80, colour=True), []
    for piece in pieces:
        start = clock()
        stream.feed(piece)
        result.append(clock() - start)
    return sorted(result)


def main() -> None:
    """Print the percentiles."""
    text = (SECTION * (PIECE * PIECES // len(SECTION) + 1))[: PIECE * PIECES]
    pieces = [text[place : place + PIECE] for place in range(0, len(text), PIECE)]
    first = seconds(pieces, time.perf_counter)
    print(f"first round, with loading of Rich and Pygments: {1000 * first[-1]:.0f} ms for the slowest piece")
    for name, clock in (("wall", time.perf_counter), ("CPU", time.process_time)):
        rounds = [seconds(pieces, clock) for _ in range(ROUNDS)]
        shown = ", ".join(f"percentile {100 * share:.0f} {_at(share, rounds):.3f} ms" for share in (0.5, 0.9, 0.99, 1))
        verdict = "met" if _at(0.99, rounds) <= TARGET_MS else "missed"
        print(f"{name}: {shown}; target {TARGET_MS} ms {verdict}")


def _at(share: float, rounds: list[list[float]]) -> float:
    """The median over the rounds of a percentile, in ms."""
    return 1000 * median(costs[min(int(share * len(costs)), len(costs) - 1)] for costs in rounds)


if __name__ == "__main__":
    main()
