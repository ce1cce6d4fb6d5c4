"""What becomes of a load for which the memory seems too small."""

from __future__ import annotations

from collections.abc import Callable

from phicli.errors import DoesNotFitError

OnTooLarge = Callable[[DoesNotFitError], None]
"""Is given the error with the sums: raises it, or returns, and then the load goes on."""


def refuse(error: DoesNotFitError) -> None:
    """The usual answer.

    Raises:
        DoesNotFitError: always.
    """
    raise error


def on_too_large(tell: Callable[[str], None], *, check: bool) -> OnTooLarge:
    """:func:`refuse`; without ``check`` (``--no-memory-check``) ``tell`` is told instead, of each load once."""
    said: set[str] = set()

    def notice(error: DoesNotFitError) -> None:
        if error.message not in said:
            said.add(error.message)
            tell(f"note: {error.message}; it is loaded anyway because of --no-memory-check, but the system may end it")

    return refuse if check else notice
