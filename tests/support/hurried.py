"""``phi`` with limits of the server that a test can wait for: ``python -P hurried.py '{"head_s": 0.5}' serve``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from phicli.server.http import limits


def _main() -> None:
    limits.LIMITS = replace(limits.LIMITS, **json.loads(sys.argv.pop(1)))  # type: ignore[misc]
    from phicli.__main__ import entry

    entry()


if __name__ == "__main__":
    _main()
