"""Python's compiled files, for tests in an environment that keeps Python from writing any.

With ``PYTHONDONTWRITEBYTECODE`` each of the thousands of processes that tests start would compile all of ``phi`` again:
a third of what ``phi run`` computes. They share a folder instead that the tests remove; the checkout stays as it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Final

import pytest

_REFUSED: Final = "PYTHONDONTWRITEBYTECODE"
_FOLDER: Final = "PYTHONPYCACHEPREFIX"


def keep_bytecode(config: pytest.Config) -> None:
    """Give the processes that start from now on a folder for it, workers of the tests too; only where they need one.

    It is removed when ``config`` is left.
    """
    if not os.environ.pop(_REFUSED, None) or _FOLDER in os.environ:
        return
    os.environ[_FOLDER] = folder = tempfile.mkdtemp(prefix="phi-bytecode-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
