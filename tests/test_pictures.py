"""The pictures of the documentation: what a screen shows is drawn, but for what differs from run to run."""

from __future__ import annotations

import importlib
import re
import sys
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
DEMO = Path(__file__).parents[1] / "docs" / "demo"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(DEMO))
    return {name: importlib.import_module(name) for name in ("screen", "drawing", "record")}


def drawn(demo: dict[str, ModuleType], printed: str, columns: int = 40) -> str:
    import pyte

    screen = demo["screen"].Screen(columns, 10, lambda _: None)
    pyte.ByteStream(screen).feed(printed.encode())
    return unescape(demo["drawing"].draw("test", "test", screen)).replace("\xa0", " ")


def color_of(svg: str, text: str) -> str:
    """The color in which a text is written."""
    style = re.search(rf'class="phi-test-(r\d+)"[^>]*>{text}<', svg)
    assert style is not None, svg
    rule = re.search(rf"phi-test-{style[1]} {{ (.*?) }}", svg)
    assert rule is not None, svg
    return rule[1]


def test_colors_dim_and_reverse_are_kept(demo: dict[str, ModuleType]) -> None:
    svg = drawn(
        demo, "plain\r\n\x1b[2mdim\x1b[22m\r\n\x1b[31mred\x1b[0m\r\n\x1b[7mturned\x1b[0m\r\n\x1b[38;5;2mgreen\x1b[0m"
    )
    assert len({color_of(svg, text) for text in ("plain", "dim", "red", "turned", "green")}) == 5


def test_speeds_and_times_are_not_drawn(demo: dict[str, ModuleType]) -> None:
    svg = drawn(demo, "tiny-phi  98 of 256 tokens  379.0 tokens/s  name\r\nthought for 0.1 s, 15 tokens", 60)
    assert "98 of 256 tokens  … tokens/s  name" in svg
    assert "thought for … s, 15 tokens" in svg


def test_empty_lines_above_the_meter_are_left_out(demo: dict[str, ModuleType]) -> None:
    rows = re.findall(r'y="([\d.]+)"[^>]*>(\w+)<', drawn(demo, "first\r\n\r\nsecond\x1b[10;1Hmeter"))
    heights = {text: float(height) for height, text in rows}
    assert heights["second"] - heights["first"] == pytest.approx(heights["meter"] - heights["second"])


def test_every_picture_is_shown_somewhere(demo: dict[str, ModuleType]) -> None:
    names = {picture.path.name for picture in demo["record"].PICTURES}
    assert names == {path.name for path in DEMO.glob("*.svg")}
    assert all(f"({name})" in (DEMO / "README.md").read_text(encoding="utf-8") for name in names)
