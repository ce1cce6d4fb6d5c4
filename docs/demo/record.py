"""Records the pictures of the README: real commands in a terminal, with tiny-phi or a simulated machine.

``python docs/demo/record.py`` writes them next to this file; ``python .ci/generate.py`` writes them too, and its
``--check`` compares. Everything in a picture is the same on every machine: times and speeds are shown as ``…``.
Linux and macOS only: a pseudo-terminal is needed.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drawing import draw
from screen import Session

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COLUMNS = 96


@dataclass(frozen=True, slots=True)
class Run:
    """A command, and what is typed into it, one line at each prompt.

    ``leaves``: Ctrl-D is pressed at the last prompt. Without it, and with ``typed``, the picture ends at that prompt.
    """

    arguments: tuple[str, ...]
    typed: tuple[str, ...] = ()
    leaves: bool = False

    @property
    def shown(self) -> str:
        """The command line, as it is typed in a shell."""
        return shlex.join(("phi", *self.arguments))


@dataclass(frozen=True, slots=True)
class Picture:
    """What happens in one terminal; ``lines`` are its lines."""

    name: str
    title: str
    lines: int
    runs: tuple[Run, ...]

    @property
    def path(self) -> Path:
        """The file."""
        return HERE / f"{self.name}.svg"


REASONS = ("chat", "tiny-phi", "--system", "Your name is Phi, an AI math expert developed by Microsoft.")
PICTURES = (
    Picture("recommend", "phi recommend", 60, (Run(("recommend", "--machine", "laptop-16gb")),)),
    Picture(
        "chat",
        "phi chat",
        44,
        (
            Run(
                ("chat", "tiny-phi"),
                (
                    "Write a Python function that adds two numbers",
                    "/copy 1",
                    "What is the capital of France?",
                    "And of Spain?",
                    "/undo",
                ),
                leaves=True,
            ),
            Run(("chat", "--continue"), ("And of Italy?",)),
        ),
    ),
    Picture("reasoning", "Reasoning", 30, (Run(REASONS, ("What is 7 + 5?", "/think show", "What is 9 - 4?")),)),
    Picture("commands", "Commands", 60, (Run(("chat", "tiny-phi"), ("/help", "/set temperature 0.7")),)),
)
"""Everything that tiny-phi says in them, it has learned: training/tiny_phi/facts.py."""


def pictures() -> Iterator[tuple[Path, str]]:
    """Path and text of each picture."""
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as home:
            session = Session(COLUMNS, picture.lines, Path(home), ROOT)
            try:
                for run in picture.runs:
                    play(session, run)
                yield picture.path, draw(picture.name, picture.title, session.screen)
            finally:
                session.close()


def play(session: Session, run: Run) -> None:
    """Start a command and type what is typed."""
    session.start([sys.executable, "-m", "phicli", *run.arguments], run.shown)
    for line in run.typed:
        session.say(line)
    if run.leaves:
        session.leave()
    elif run.typed:
        session.wait()
    else:
        session.end()


def main() -> int:
    """Write the pictures."""
    for path, text in pictures():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
