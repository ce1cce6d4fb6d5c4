"""Which feature of which client works with the server: the table in ``docs/serve.md``.

``python -m tests.clients.matrix`` installs the clients, tries each, and writes the table.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import phicli
from tests.clients.clients import CLIENTS, Client, what_came

DOCUMENT: Final = Path(phicli.__file__).parents[1] / "docs" / "serve.md"
BEGIN, END = "<!-- table of clients -->\n", "<!-- end of table -->\n"


@contextlib.contextmanager
def served() -> Iterator[str]:
    """A server on a free port; its address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHI_", "HF_", "XDG_"))}
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "phicli", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True,
            env=kept | {"PHI_HOME": home, "HF_HOME": home, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait()


def row(client: Client, came: Mapping[str, str]) -> str:
    """The line of the table for ``client``."""
    versions = ", ".join(package.replace("==", " ").replace("@", " ").strip() for package in client.packages)
    works = [feature for feature, right in client.features.items() if came.get(feature) == right]
    fails = [feature for feature in client.features if feature not in works]
    return f"| {client.name} | {versions} | {', '.join(works)} | {', '.join(fails) or 'nothing that was tried'} |"


def table(rows: list[str]) -> str:
    """The table, in Markdown."""
    return "\n".join(["| client | version | works | does not work |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    with served() as address:
        found = [row(client, what_came(client, address)) for client in CLIENTS]
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}{table(found)}{END}{rest.partition(END)[2]}", encoding="utf-8")
