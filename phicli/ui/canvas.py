"""Rich on standard output: measured, colored where that is wanted, and quiet when the reader has left."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_COLOURS: Literal["auto"] = "auto"


class _Page(io.StringIO):
    """What Rich prints, with the encoding that it is going to be written in.

    Rich itself ends the process when the reader has left; so it does not get the stream.
    """

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


class Canvas:
    """Standard output of a terminal, for what Rich lays out.

    Args:
        terminal: where to.
        width: columns, by default those of the terminal.
    """

    def __init__(self, terminal: Terminal, *, width: int | None = None) -> None:
        from rich.console import Console

        self._terminal = terminal
        self._page = _Page(terminal.stdout.encoding or "utf-8")
        self._console: Console = Console(
            file=self._page,
            width=width,
            color_system=_COLOURS if terminal.colour else None,
            force_terminal=True,
            highlight=False,
            markup=False,
            emoji=False,
        )

    @property
    def width(self) -> int:
        """Columns."""
        return self._console.width

    def encodes(self, text: str) -> bool:
        """Whether the terminal can show ``text``."""
        try:
            text.encode(self._page.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def paint(self, parts: Iterable[RenderableType]) -> None:
        """Show what Rich makes of ``parts``, one below the other.

        Raises:
            OutputClosedError: the reader has closed it.
            OSError: it cannot be written.
        """
        for part in parts:
            self._console.print(part)
        lines = (line.rstrip() for line in self._page.getvalue().splitlines())
        self._page.truncate(self._page.seek(0))
        self._terminal.paint("\n".join(lines) + "\n")


def show(
    terminal: Terminal,
    *,
    screen: Callable[[Canvas], Iterable[RenderableType]],
    plain: Callable[[], Iterable[str]],
) -> None:
    """On a terminal what ``screen`` lays out for Rich, else the lines of ``plain``; only one of them is called.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if terminal.stdout.isatty():
        canvas = Canvas(terminal)
        canvas.paint(screen(canvas))
    else:
        terminal.write("\n".join(plain()) + "\n")


def safe_text(content: str, style: str = "") -> Text:
    """``content`` for Rich, taken literally: no markup, and no control characters from names of files."""
    from rich.text import Text

    return Text("".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in content), style=style)
