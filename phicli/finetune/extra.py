"""The packages that only fine-tuning needs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from phicli.errors import UsageError, install_hint

PACKAGES: Final = ("torch", "transformers", "peft", "accelerate", "tokenizers")


def require_extra() -> None:
    """Stop where a package is missing.

    Raises:
        UsageError: one is.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"fine-tuning needs packages that are not installed: {', '.join(missing)}",
            f"install the CPU build of torch first (pytorch.org, Get Started), then, {install_hint('finetune')}; "
            "together about 1.2 GB; without the first step Linux gets the CUDA build, which has several GB",
        )


def versions() -> dict[str, str]:
    """The versions of the packages, and of phi."""
    from phicli import __version__

    found = {"phi": __version__}
    for name in (*PACKAGES, "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
