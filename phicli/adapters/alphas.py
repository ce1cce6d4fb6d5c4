"""The alpha of each module of an adapter of PEFT: that of the settings, or of the pattern that its name matches.

PEFT looks for ``(.*\\.)?(PATTERN)$`` from the beginning of the name and takes the first pattern that it finds
(``get_pattern_key`` in ``peft/utils/other.py``, version 0.21). It saves them in alphabetical order, which need not be
that of the training: ``findings/peft_sorts_alpha_pattern.sh``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from phicli.adapters.peft_config import number_in
from phicli.errors import IntegrityError, NotAnAdapterError
from phicli.gguf_file.diagnose import GET_AGAIN
from phicli.hub.peft_files import CONFIG

_PLAIN: Final = re.compile(r"\^?(?:(?:[A-Za-z0-9_.]|\\[.dw]|\[[A-Za-z0-9_.-]+\])[*+?]?|[(|)](?![*+?]))+\$?")
"""A pattern that cannot take long on a short name: nothing is repeated within what is repeated."""
_MOST_REPEATED: Final = 3
_LONGEST: Final = 500


def alpha_of(folder: Path, config: Mapping[str, Any], module: str, alpha: float) -> float:
    """The alpha of ``module``: by ``alpha_pattern``, else ``alpha``.

    Raises:
        IntegrityError: ``alpha_pattern`` is not an object of numbers.
        NotAnAdapterError: a pattern is too complicated, or two patterns with different alphas match.
    """
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise IntegrityError(f"{folder / CONFIG}: alpha_pattern is not an object", GET_AGAIN)
    matching = [pattern for pattern in patterns if _compiled(folder, pattern).match(module)]
    found = {pattern: number_in(folder, patterns, pattern, default=alpha) for pattern in matching}
    if len(set(found.values())) > 1:  # PEFT saves them in the order of the alphabet, and trained with another one
        said = " and ".join(f"{value:g} ({pattern[:60]})" for pattern, value in list(found.items())[:2])
        raise NotAnAdapterError(
            f"the adapter in {folder} cannot be used: alpha_pattern has two alphas for {module}: {said}",
            f"leave the one that it was trained with in {CONFIG}, and delete the other or make it more exact",
        )
    return next(iter(found.values()), alpha)


def _compiled(folder: Path, pattern: str) -> re.Pattern[str]:
    repeated = sum(pattern.count(sign) for sign in "*+?")
    try:
        if len(pattern) <= _LONGEST and repeated <= _MOST_REPEATED and _PLAIN.fullmatch(pattern):
            return re.compile(rf"(.*\.)?({pattern})$")
    except re.error:
        pass
    raise NotAnAdapterError(
        f"the adapter in {folder} cannot be used: alpha_pattern has {pattern[:80]!r}, which phi does not read",
        f"replace the pattern in {CONFIG} by the names of the modules",
    )
