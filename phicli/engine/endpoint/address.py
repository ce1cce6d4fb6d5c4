"""Where an endpoint is, how it may be shown, and which key it gets."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from phicli.errors import UsageError

KEY: Final = "PHI_API_KEY"
_OPENAI_KEY: Final = "OPENAI_API_KEY"
_OPENAI: Final = "api.openai.com"
_CHAT: Final = "/chat/completions"
EXAMPLE: Final = "an example: http://127.0.0.1:8080/v1"
_LONGEST: Final = 2000
_SHORTEST_SECRET: Final = 6  # of a value in the query: masking shorter ones would make messages unreadable
_SHORTEST_KEY: Final = 12  # local servers take any text as a key, such as "none" or "phi"
_MASK: Final = "***"
_HOST_AND_PORT: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{4,5}(/[^\s:?@]*)?")


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint. ``shown`` is all of it that may be printed or kept: no credentials, no query.

    ``base`` is the URL to which paths are added, ``query`` what follows them. ``authorization`` is the header to
    send, None without a key. ``secrets`` are the texts that must not get out again. ``key_name`` is what has the key,
    and ``give_key`` what to do where one is required and there is none; both are words for messages.
    """

    shown: str
    host: str
    base: str = field(repr=False)
    query: str = field(default="", repr=False)
    authorization: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    key_name: str = KEY
    give_key: str = f"set {KEY}"

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way can read the key."""
        return self.base.startswith("https:")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified

    @property
    def exposed_key(self) -> str | None:
        """A warning that the key can be read on the way; None where it cannot."""
        if self.authorization is None or self.encrypted or self.is_loopback:
            return None
        return f"the API key is sent to {self.shown} unencrypted: anyone on the network can read it"

    def url(self, path: str) -> str:
        """The URL of ``path`` below it."""
        return self.base + path + (f"?{self.query}" if self.query else "")

    def gives_away(self, text: str) -> bool:
        """Whether ``text``, which is to be used as it is, has a key in it; words that serve as keys are not meant."""
        return any(len(secret) >= _SHORTEST_KEY and secret in text for secret in self.secrets)

    def scrubbed(self, text: str) -> str:
        """``text`` without what must not get out: servers quote keys, and libraries URLs."""
        for secret in self.secrets:
            text = text.replace(secret, _MASK)
        return text


def read_address(text: str, environment: Mapping[str, str]) -> Address:
    """The endpoint that was typed, with its key: that in the URL, else ``PHI_API_KEY``.

    ``OPENAI_API_KEY`` is sent to OpenAI's own endpoint, encrypted, and nowhere else.

    Raises:
        UsageError: it is not the URL of an endpoint, or the key cannot be sent. The message has nothing secret in it.
    """
    parts = _checked(text)
    if parts.username or parts.password:
        return _address(parts, *_basic(parts))
    name = KEY
    if not environment.get(KEY) and parts.scheme == "https" and _host(parts) == _OPENAI:
        name = _OPENAI_KEY
    return _address(parts, *_bearer(environment.get(name, ""), name))


def address_with_key(text: str, key: str = "", *, key_name: str = KEY, give_key: str = "") -> Address:
    """The endpoint at ``text`` with this ``key``, and no other: nothing is looked up in the environment.

    Args:
        text: its URL, which has no credentials and no query.
        key: empty for none.
        key_name: what has the key, as a message calls it.
        give_key: what to do where a key is required and there is none.

    Raises:
        UsageError: it is not the URL of an endpoint, or the key cannot be sent. The message has nothing secret in it.
    """
    parts = _checked(text)
    if parts.username or parts.password:
        raise UsageError("the address has a user or a password in it", "keep keys in a variable of the environment")
    if parts.query or parts.fragment:
        raise UsageError("the address has more than a path in it, such as ?key=value", EXAMPLE)
    return replace(_address(parts, *_bearer(key, key_name)), key_name=key_name, give_key=give_key or f"set {key_name}")


def is_host_and_port(text: str) -> bool:
    """Whether ``text`` is ``localhost:8080`` or ``10.0.0.7:8000/v1``: an address without ``http://``, and no model."""
    return _HOST_AND_PORT.fullmatch(text) is not None


def _checked(text: str) -> SplitResult:
    if len(text) > _LONGEST or not text.isprintable() or " " in text:
        raise UsageError(
            "the address of the endpoint is too long, or contains characters that are not allowed", EXAMPLE
        )
    if is_host_and_port(text):
        raise UsageError(f"{text} is not the address of an endpoint", f"did you mean http://{text}?")
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:  # UnicodeError is one; the text of either may have the password in it
        raise UsageError("this is not the address of an endpoint", EXAMPLE) from None
    if not sound or not all(one.isalnum() or one in "-._:" for one in parts.hostname or ""):
        raise UsageError("this is not the address of an endpoint", EXAMPLE)
    return parts


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _address(parts: SplitResult, authorization: str | None, secrets: Collection[str]) -> Address:
    host = _host(parts)
    path = parts.path.rstrip("/").removesuffix(_CHAT).rstrip("/")
    place = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{place}{f':{parts.port}' if parts.port else ''}{path}"
    values = [value for _, value in parse_qsl(parts.query) if len(value) >= _SHORTEST_SECRET]
    hidden = {*secrets, *values, *([parts.query] if values else [])}
    return Address(
        shown=shown,
        host=host,
        base=shown,
        query=parts.query,
        authorization=authorization,
        secrets=tuple(sorted(hidden, key=len, reverse=True)),
    )


def _basic(parts: SplitResult) -> tuple[str, list[str]]:
    """The header for a user and a password, and what in it is secret."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    coded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Basic {coded}", [one for one in (password or user, parts.password or parts.username, coded) if one]


def _bearer(key: str, name: str) -> tuple[str | None, list[str]]:
    """The header for a key, and what in it is secret; ``name`` is what has the key."""
    key = key.strip()
    if not key:
        return None, []
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"the key in {name} has characters that cannot be sent", f"set {name} to a valid key")
    return f"Bearer {key}", _spellings(key)


def _spellings(key: str) -> list[str]:
    """The key as texts have it: as it is, and inside of JSON, an address or a web page."""
    inside = json.dumps(key)[1:-1]
    return list(dict.fromkeys((key, inside, inside.replace("/", r"\/"), quote(key, safe=""), quote(key), escape(key))))
