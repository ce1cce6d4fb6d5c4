"""The built-in templates on a small real model: what it answers is of the kind that the template asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.running import Phi

pytestmark = pytest.mark.model

ARTICLE = (
    "The town council of Marlow decided on Tuesday to close the old bridge over the river for six months. Engineers "
    "found cracks in two of the stone pillars in March. Repairs will cost 2.4 million pounds, and half of that comes "
    "from the county. Buses will use the road through Bisham instead, which adds about twelve minutes to each trip."
)
ERROR = """\
  File "report.py", line 31, in main
    total = sum(row["price"] for row in rows)
TypeError: unsupported operand type(s) for +: 'int' and 'str'
"""
DIFF = """\
--- a/cart.py
+++ b/cart.py
@@ -10,7 +10,8 @@ class Cart:
     def average(self):
-        if not self.items:
-            return 0
         return self.total() / len(self.items)
"""


@pytest.mark.parametrize(
    ("arguments", "text", "contains"),
    [
        (["summary"], ARTICLE, ["Marlow", "bridge", "2.4 million"]),
        (["explain"], ERROR, ["TypeError", "string"]),
        (["commit"], DIFF, ["change"]),
        (["review"], DIFF, ["problem"]),
        (
            ["extract", "--var", "keys=name, city, date"],
            "Anna met Bob in Paris on 3 May 2026.",
            ["{", '"date"', "3 May"],
        ),
        (["translate", "--var", "language=French"], "Good morning! Where is the station?", ["Je suis"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_built_in_template(phi: Phi, smollm2: Path, arguments: list[str], text: str, contains: list[str]) -> None:
    options = ("--temp", "0", "-n", "150", "-q")
    done = phi("chat", str(smollm2), "-T", *arguments, *options, stdin=text.encode())
    assert done.code == 0, done.err
    assert all(word in done.out for word in contains), done.out
