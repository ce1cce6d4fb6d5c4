"""A recipe of ``docs/scripting.md`` whose models are not on the machine that runs the tests: with others in place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from phicli.plan.locate import locate
from tests.support.requantised import requantise
from tests.support.servers import Serve

DOCUMENT = Path(__file__).parents[2] / "docs" / "scripting.md"
MARK = "<!-- three quantizations and a remote -->\n```sh\n"
QUESTIONS = [
    {"question": f"What is the capital of {country}?", "compare": "regex", "answer": city}
    for country, city in (("France", "Paris"), ("Italy", "Rome"), ("Japan", "Tokyo"), ("Atlantis", "nowhere"))
]


@pytest.mark.process
def test_three_quantizations_and_a_remote_are_in_one_table(
    serve: Serve, environment: dict[str, str], tmp_path: Path
) -> None:
    """The table has a row with an interval for each, and each is compared with the others."""
    (tmp_path / "letters.jsonl").write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS))
    phi = f"{sys.executable} -m phicli"
    server = serve("tiny-phi")
    code = (
        DOCUMENT.read_text(encoding="utf-8").partition(MARK)[2].partition("```")[0].replace("phi eval", f"{phi} eval")
    )
    for name, quant in (("q4_k_m", "Q4_0"), ("q6_k", "Q8_0"), ("q8_0", "F32")):
        file = requantise(locate("tiny-phi").path, tmp_path / f"tiny-{quant.lower()}.gguf", quant)
        code = code.replace(f"phi-4-mini:{name}", file.name)
    code = f"{phi} remotes add lab {server.address}/v1 --kind phi\n" + code.replace("lab/phi-4", "lab/tiny-phi")
    done = subprocess.run(["bash", "-eu", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "quality.md").read_text()
    rows = [line for line in table.splitlines() if re.match(r"\| .*tiny-", line)]
    assert [re.search(r"tiny-[\w]+", row)[0] for row in rows[:4]] == ["tiny-q4_0", "tiny-q8_0", "tiny-f32", "tiny-phi"]  # type: ignore[index]
    assert all("3 of 4" in row and "%" in row for row in rows[1:4]), table
    assert table.count("compared with") == 6, table
