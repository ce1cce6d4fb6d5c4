"""A loaded model whose other process is a list of replies."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from benchmarks.sides import Loaded


def loaded(replies: Sequence[Mapping[str, float]], **settings: Any) -> Loaded:
    """A model with ``settings`` that answers request after request with ``replies``."""
    text = "".join(f"{json.dumps(reply)}\n" for reply in replies)
    process = SimpleNamespace(stdin=io.StringIO(), stdout=io.StringIO(text))
    return Loaded(cast("subprocess.Popen[str]", process), "xllamacpp 1.2.3", settings)
