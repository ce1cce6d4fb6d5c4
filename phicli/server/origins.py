"""Origins of web pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from phicli.errors import UsageError


def check_origin(typed: str) -> str:
    """``typed`` as browsers write an origin; ``*`` stands for all.

    Raises:
        UsageError: it is not an origin.
    """
    error = UsageError(
        f"--allow-origin is not an origin: {typed!r}", "name a scheme and a host, e.g. https://example.org"
    )
    if typed == "*":
        return typed
    try:
        parts = urlsplit(typed)
    except ValueError:
        raise error from None
    beyond = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None
    if not parts.scheme or not parts.netloc or beyond or not typed.isascii() or not typed.isprintable():
        raise error
    return f"{parts.scheme}://{parts.netloc}".lower()
