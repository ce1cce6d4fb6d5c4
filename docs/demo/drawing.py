"""The picture of a screen, as SVG."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text
from screen import Screen

COLORS = {"brown": "yellow", "brightbrown": "bright_yellow"}
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
CODE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: FONT; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
""".replace("FONT", FONT)  # Rich's own template fetches a font from the network
DIFFERS = (
    (re.compile(r"\d+(\.\d+)? tokens/s"), "… tokens/s"),
    (re.compile(r"thought for \d+(\.\d+)? s"), "thought for … s"),
    (re.compile(r"(?<=saved )\d[\d:, -]*\d|(?<=last used )\S.*ago"), "…"),
)
"""What differs from run to run, and what the pictures show in its place."""


def draw(name: str, title: str, screen: Screen) -> str:
    """The picture of ``screen``."""
    lines = [_masked(_line(screen.buffer[y], screen.columns), screen.columns) for y in range(screen.lines)]
    while not lines[-1].plain.strip():
        lines.pop()
    while len(lines) > 2 and not (lines[-2].plain.strip() or lines[-3].plain.strip()):
        del lines[-2]  # the terminal is higher than the picture: the meter stands at its foot
    console = Console(
        record=True, file=io.StringIO(), width=screen.columns, force_terminal=True, color_system="truecolor",
        legacy_windows=False,
    )  # fmt: skip
    for line in lines:
        console.print(line, no_wrap=True, crop=True, highlight=False)
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=CODE, unique_id=f"phi-{name}")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def _line(cells: Mapping[int, Any], columns: int) -> Text:
    text = Text()
    for style, part in itertools.groupby((cells[x] for x in range(columns)), _style):
        text.append("".join(cell.data for cell in part), style)
    if not any(cells[x].reverse or cells[x].bg != "default" for x in range(columns)):
        text.rstrip()
    return text


def _masked(line: Text, columns: int) -> Text:
    """``line`` without what differs from run to run; one that filled the screen fills it again."""
    filled = line.cell_len == columns
    for pattern, shown in DIFFERS:
        while (match := pattern.search(line.plain)) and match[0] != shown:
            before, middle, after = line.divide([match.start(), match.end()])
            middle = Text(shown, middle.spans[0].style if middle.spans else "")
            line = before + middle + after
    if filled and line.cell_len < columns:
        line.append(" " * (columns - line.cell_len), line.spans[-1].style if line.spans else "")
    return line


def _style(cell: Any) -> Style:
    """The style of a character, from pyte's names to Rich's."""
    return Style(
        color=_color(cell.fg), bgcolor=_color(cell.bg), bold=cell.bold or None, italic=cell.italics or None,
        underline=cell.underscore or None, strike=cell.strikethrough or None, reverse=cell.reverse or None,
        dim=cell.blink or None,
    )  # fmt: skip


def _color(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return COLORS.get(name, name.replace("bright", "bright_"))
