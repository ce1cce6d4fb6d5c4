"""Draws the pictures of the README: real commands in a terminal of fixed size, with tiny-phi or a simulated machine.

``python .ci/pictures.py`` writes them; ``generate.py`` writes them too, and its ``--check`` compares. A picture is of a
command whose output is the same on every machine. Linux and macOS only: a pseudo-terminal is needed.
"""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
COLUMNS, LINES = 96, 60
PROMPT = ">>> "
LIMIT_S = 60.0
QUIET_S = 0.4
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


@dataclass(frozen=True, slots=True)
class Picture:
    """A command, and what is typed into it, one line at each prompt; ``shown`` is how it is typed in a shell."""

    name: str
    arguments: tuple[str, ...]
    typed: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return ROOT / "docs" / f"{self.name}.svg"

    @property
    def shown(self) -> str:
        """The command line."""
        return " ".join(("phi", *self.arguments))


PICTURES = (
    Picture("recommend", ("recommend", "--machine", "laptop-16gb")),
    Picture(
        "chat",
        ("chat", "tiny-phi"),
        ("What is the capital of France?", "And of Italy?", "My name is Ada.", "What is my name?", "/help"),
    ),
)


class Screen(pyte.Screen):
    """A screen that answers what a program asks its terminal, such as where the cursor is."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        """Send an answer."""
        self._answer(data)


def pictures() -> Iterator[tuple[Path, str]]:
    """Path and text of each picture."""
    for picture in PICTURES:
        yield picture.path, draw(picture, run(picture))


def run(picture: Picture) -> Screen:
    """The screen after the command has run and everything was typed."""
    with tempfile.TemporaryDirectory() as home:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "phicli", *picture.arguments],
            env=environment(Path(home)), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        screen = Screen(lambda answer: _write(ours, answer))
        try:
            _play(picture, screen, ours)
        finally:
            if picture.typed:
                process.terminate()
            process.wait(LIMIT_S)
            os.close(ours)
    return screen


def environment(home: Path) -> Mapping[str, str]:
    """An environment without anything of the caller's that would change the picture."""
    names = ("PHI_", "HF_", "XDG_", "LC_", "COLUMNS", "LINES", "NO_COLOR", "TERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {
        **kept, "PHI_HOME": str(home), "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1", "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8", "COLUMNS": str(COLUMNS), "LINES": str(LINES),
    }  # fmt: skip


def _play(picture: Picture, screen: Screen, terminal: int) -> None:
    """Show what the command writes; type the next line whenever it waits at its prompt."""
    stream = pyte.ByteStream(screen)
    waiting = list(picture.typed)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], QUIET_S)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:  # Linux: the command has ended
                return
            if not data:
                return
            stream.feed(data)
        elif picture.typed and _prompts(screen) == len(picture.typed) - len(waiting) + 1:
            if not waiting:
                return
            _write(terminal, waiting.pop(0) + "\r")
    raise SystemExit(f"{picture.shown} did not end in {LIMIT_S:.0f} s")


def _prompts(screen: Screen) -> int:
    """How many prompts are on the screen; 0 where the command does not wait at the last one."""
    waits = screen.display[screen.cursor.y].rstrip() == PROMPT.rstrip()
    return sum(line.startswith(PROMPT.rstrip()) for line in screen.display) if waits else 0


def _write(terminal: int, text: str) -> None:
    os.write(terminal, text.encode())


def draw(picture: Picture, screen: Screen) -> str:
    """The picture of a screen, as SVG."""
    lines = [Text(f"$ {picture.shown}", Style(bold=True)), *(_line(screen.buffer[y]) for y in range(LINES))]
    while not lines[-1].plain.strip():
        lines.pop()
    if picture.typed and lines[-1].plain.strip() == PROMPT.strip():
        lines.pop()
    console = Console(
        record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system="truecolor",
        legacy_windows=False,
    )  # fmt: skip
    for line in lines:
        console.print(line, no_wrap=True, crop=True, highlight=False)
    svg = console.export_svg(title=picture.shown, theme=MONOKAI, code_format=CODE, unique_id=f"phi-{picture.name}")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def _line(cells: Mapping[int, Any]) -> Text:
    text = Text()
    for style, part in itertools.groupby((cells[x] for x in range(COLUMNS)), _style):
        text.append("".join(cell.data for cell in part), style)
    text.rstrip()
    return text


def _style(cell: Any) -> Style:
    """The style of a character, from pyte's names to Rich's."""
    color = None if cell.fg == "default" else COLORS.get(cell.fg, cell.fg.replace("bright", "bright_"))
    if color is not None and re.fullmatch(r"[0-9a-f]{6}", color):
        color = f"#{color}"
    return Style(color=color, bold=cell.bold or None, italic=cell.italics or None)


def main() -> int:
    """Write the pictures."""
    for path, text in pictures():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
