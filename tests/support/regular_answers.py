"""Twenty answers as models give them, with much repetition in their looks: none of them is a runaway answer."""

from __future__ import annotations

from typing import Final

_RULER: Final = "-" * 72


def _table(head: str, rows: list[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|" + " --- |" * columns, *rows]) + "\n"


REGULAR_ANSWERS: Final = {
    "multiplication table": _table(
        "| * | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |",
        [f"| {a} | " + " | ".join(str(a * b) for b in range(1, 10)) + " |" for a in range(1, 10)],
    ),
    "truth table": _table(
        "| A | B | C | D | A and B | C or D |",
        [
            f"| {a} | {b} | {c} | {d} | {a & b} | {c | d} |"
            for a in (0, 1)
            for b in (0, 1)
            for c in (0, 1)
            for d in (0, 1)
        ],
    ),
    "comparison with check marks": _table(
        "| Feature | Free | Pro | Team |",
        [f"| Feature {n} | ✅ | ✅ | {'✅' if n % 2 else '❌'} |" for n in range(1, 25)],
    ),
    "empty form": _table("| Day | Task | Done |", [f"| {n} | | |" for n in range(1, 32)]),
    "blank rows to fill in": _table("| Name | Date | Hours |", ["|      |      |       |"] * 7),
    "CSV of dates": "date,open,close\n" + "".join(f"2024-03-{n:02d},0.00,0.00\n" for n in range(1, 32)),
    "CSV of sensors": "id,value,unit,status\n" + "".join(f"{n},21.5,C,ok\n" for n in range(100, 160)),
    "CSV with empty fields": "a,b,c,d,e\n" + "".join(f"{n},,,,\n" for n in range(40)),
    "rulers between sections": "".join(f"{_RULER}\nSection {n}\n{_RULER}\nText of section {n}.\n\n" for n in range(9)),
    "rulers of equals signs": "".join(f"Part {n}\n{'=' * 60}\nNothing new here.\n" for n in range(12)),
    "tape measure": "0" + "".join(f"....|....{n}" for n in range(1, 16)) + "\n" + "|---------" * 7 + "|\n",
    "box of ASCII art": "+" + "-" * 40 + "+\n" + f"|{' ' * 40}|\n" * 3 + "+" + "-" * 40 + "+\n",
    "tree of ASCII art": "".join(" " * (20 - n) + "*" * (2 * n + 1) + "\n" for n in range(20)),
    "chess board": "".join(f"{8 - r} " + "".join("■□"[(r + c) % 2] + " " for c in range(8)) + "\n" for r in range(8)),
    "numbered list": "".join(f"{n}. Check the cable of device {n}.\n" for n in range(1, 61)),
    "bullet list of verbs": "".join(f"- I {v}, you {v}, we {v}, they {v}\n" for v in ("see", "run", "go", "sit")),
    "check list": "".join(f"- [ ] Step {n}: review and sign off\n" for n in range(1, 41)),
    "song with a refrain": "".join(
        f"{n} bottles of beer on the wall, {n} bottles of beer.\nTake one down and pass it around.\n\n"
        for n in range(30, 0, -1)
    ),
    "refrain alone": "Row, row, row your boat, gently down the stream.\n" * 6,
    "laughter and emoji": "Ha" * 20 + "! " + "😀" * 30 + " 哈" + "哈" * 30 + "!\n",
}
