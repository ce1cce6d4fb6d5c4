"""What was learned about a remote while it was asked: fields that it refuses, and what was said already."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from phicli.engine.endpoint.failures import EndpointError
from phicli.remotes.body import FORMAT, Body

_LIMITS: Final[Mapping[str, str]] = {
    "max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens",
}  # fmt: skip
_NEEDED: Final = frozenset({"model", "messages", "tools", *_LIMITS})
_ABOUT_FORMS: Final = re.compile(r"schema|response_format|grammar|structured|guided", re.IGNORECASE)


class Manner:
    """How one model of a remote is asked; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_out: set[str] = set()
        self._forms: set[str] = set()  # the forms of answers that are refused; another one may be taken
        self._limit = ""
        self._said: set[str] = set()

    def first_time(self, thing: str) -> bool:
        """Whether ``thing`` is said for the first time; from now on it was said."""
        with self._lock:
            new = thing not in self._said
            self._said.add(thing)
            return new

    def applied(self, body: Body) -> Body:
        """``body`` as the remote takes it, as far as that is known."""
        with self._lock:
            refused = _form_in(body.fields) in self._forms
            left_out = [*self._left_out, *([FORMAT] if refused else [])]
            left_out += ["top_logprobs"] if "logprobs" in left_out else []
            made, limit = body.without(left_out), self._limit
        if limit and (other := _LIMITS[limit]) in made.fields:
            made.fields[limit] = made.fields.pop(other)
        return made

    def learn(self, error: EndpointError, sent: Mapping[str, Any]) -> str | None:
        """Take a refusal of the request ``sent``; returns what is left out from now on, None where it says nothing.

        An empty text: the request can be sent again, and there is nothing to say. The same is said in another way, or
        another thread has learned it meanwhile.
        """
        if error.kind != "rejected":
            return None
        limit = next((name for name in _LIMITS if name in sent and _LIMITS[name] in error.message), None)
        with self._lock:
            if limit is not None and self._limit in ("", _LIMITS[limit]):
                self._limit = _LIMITS[limit]
                return ""
            refused = _refused(error.message, sent)
            if refused is None:
                return None
            known, thing = (self._forms, _form_in(sent)) if refused == FORMAT else (self._left_out, refused)
            is_new = thing not in known
            known.add(thing)
            return refused if is_new else ""


def _form_in(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields[FORMAT]) if FORMAT in fields else ""


def _refused(message: str, sent: Mapping[str, Any]) -> str | None:
    """The field of ``sent`` that ``message`` is about, and that can be left out."""
    optional = [name for name in sent if name not in _NEEDED and name != FORMAT]
    named = [name for name in optional if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", message)]
    if named:
        return max(named, key=len)
    return FORMAT if FORMAT in sent and _ABOUT_FORMS.search(message) else None
