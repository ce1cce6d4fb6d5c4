"""How long rendering takes for each token of an answer in Markdown: ``python -m benchmarks.markdown``.

The answer has about 2,000 pieces of four characters, with code, tables, lists and emphasis. The target is 1 ms at the
99th percentile. Wall time; the percentiles are medians of several rounds after the round that loads the libraries.
"""

from __future__ import annotations

import time
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


def seconds(pieces: list[str]) -> list[float]:
    """Seconds of rendering each piece."""
    stream, result = MarkdownStream(lambda: 80, colour=True), []
    for piece in pieces:
        start = time.perf_counter()
        stream.feed(piece)
        result.append(time.perf_counter() - start)
    return result


def main() -> None:
    """Print the percentiles."""
    text = (SECTION * (PIECE * PIECES // len(SECTION) + 1))[: PIECE * PIECES]
    pieces = [text[place : place + PIECE] for place in range(0, len(text), PIECE)]
    first, *rounds = (sorted(seconds(pieces)) for _ in range(ROUNDS + 1))
    for share in (0.5, 0.9, 0.99):
        print(f"percentile {100 * share:.0f}: {_at(share, rounds):.3f} ms (first round {_at(share, [first]):.3f} ms)")
    print(f"slowest piece: {_at(1, rounds):.1f} ms; with loading of Rich and Pygments: {1000 * first[-1]:.0f} ms")
    print(f"target {TARGET_MS} ms: {'met' if _at(0.99, rounds) <= TARGET_MS else 'missed'}")


def _at(share: float, rounds: list[list[float]]) -> float:
    """The median over the rounds of a percentile, in ms."""
    return 1000 * median(costs[min(int(share * len(costs)), len(costs) - 1)] for costs in rounds)


if __name__ == "__main__":
    main()
