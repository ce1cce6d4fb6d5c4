"""``phi cache import`` and ``export`` with odd paths, damaged records and signals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.running import Phi


@pytest.mark.skipif(os.name == "nt", reason="no pipes with names")
def test_hints_name_the_command_and_what_is_a_file(phi: Phi, home: Path) -> None:
    folder = home / "my models"
    for name in ("folder.gguf", "empty"):
        (folder / name).mkdir(parents=True)
    os.mkfifo(folder / "pipe.gguf")
    missing = phi("cache", "import", str(folder / "mine.gguf"))
    assert (missing.code, "check the name: phi cache import FILE" in missing.err) == (3, True)
    shutil.copy(TINY_PHI, folder / "mein.gguf")
    example = f"contains mein.gguf; for example: phi cache import '{folder / 'mein.gguf'}'"
    for path in (folder / "mine.gguf", folder, folder / "none.tar"):
        run = phi("cache", "import", str(path))
        assert example in run.err
        assert "phi chat" not in run.err
    for path in (folder / "pipe.gguf", folder / "empty"):
        run = phi("cache", "import", str(path))
        assert (run.code, "phi cache import FILE" in run.err, "phi chat" in run.err) == (2, True, False)
    run = phi("cache", "export", str(folder / "mine.gguf"), str(home / "x.tar"))
    assert (run.code, "phi chat" in run.err) == (3, False)


def test_names_that_are_too_long(phi: Phi, home: Path) -> None:
    for name in ("x" * 300, "x" * 300 + ".gguf", "x" * 300 + ".tar"):
        run = phi("cache", "import", name)
        assert (run.code, "too long" in run.err, len(run.err) < 200) == (2, True, True)
    assert phi("cache", "export", "tiny-phi", str(home / ("x" * 252))).code == 0
    run = phi("cache", "export", "tiny-phi", str(home / ("x" * 256)))
    assert (run.code, "too long" in run.err) == (2, True)


def test_a_damaged_record_is_told_by_the_list(phi: Phi, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "phi" / "data" / "models"
    folder.mkdir(parents=True)
    (folder / "m.json").write_text("[" * 100_000)
    run = phi("cache", "list")
    assert (run.code, str(folder / "m.json") in run.err) == (0, True)
    assert phi("list").code == phi("show", "tiny-phi").code == 0


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_a_terminated_import_leaves_nothing(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    code = (
        "import signal, os\n"
        "from phicli.ui.cache.import_export import progress\n"
        "from phicli.ui.terminal import Terminal\n"
        "from phicli.hub.archive.unfinished import partial_of\n"
        "from pathlib import Path\n"
        f"with progress(Terminal.current()), partial_of(Path({str(tmp_path / 'x.tar')!r})):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 143
    assert not list(tmp_path.glob(".phi-export*"))
