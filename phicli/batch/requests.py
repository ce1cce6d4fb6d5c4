"""OpenAI's batch files: a request in each line, and a response in each line of the output.

https://developers.openai.com/api/docs/guides/batch describes the lines.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.batch.scan import require_right
from phicli.batch.types import Row
from phicli.errors import PhiError, UsageError
from phicli.server.openai.chat_request import ChatRequest, read_chat_request
from phicli.server.openai.completion_request import CompletionRequest, read_completion_request
from phicli.server.openai.errors import error_body, status_of
from phicli.server.openai.fields import kind_of

_CHAT: Final = "/v1/chat/completions"
_TEXT: Final = "/v1/completions"


@dataclass(frozen=True, slots=True)
class RequestWords:
    """Makes requests of the lines of a batch file; ``model`` answers all of them, whatever they name.

    ``usual`` has the sampling, the stop texts and the limit of reasoning where a line says nothing of them.
    """

    model: str
    usual: Asked

    def asked(self, row: Row) -> Asked:
        """The request of a row.

        Raises:
            UsageError: it is wrong; says why.
        """
        require_right(row)
        asked, usual = self._request(row).asked, self.usual
        return replace(
            asked,
            streamed=False,
            sampling={**usual.sampling, **asked.sampling},
            stop=asked.stop or (() if asked.form else usual.stop),
            think_tokens=usual.think_tokens if asked.think_tokens is None else asked.think_tokens,
        )

    def answered(self, row: Row, answers: Sequence[Answer], model: str) -> dict[str, Any]:
        """The line for the answers by ``model``."""
        return _line(row, 200, replace(self, model=model)._request(row).reply().whole(answers))

    def failed(self, row: Row, error: PhiError) -> dict[str, Any]:
        """The line for a request that was not answered."""
        return _line(row, status_of(error), error_body(error, hides_paths=False))

    def _request(self, row: Row) -> ChatRequest | CompletionRequest:
        body, url = row.fields.get("body"), row.fields.get("url")
        if not isinstance(row.fields.get("custom_id"), str):
            raise UsageError(f"custom_id is {kind_of(row.fields.get('custom_id'))}, but must be a string")
        if row.fields.get("method", "POST") != "POST":
            raise UsageError("the method is not POST")
        if url not in (_CHAT, _TEXT, None):
            raise UsageError(f"url is {str(url)[:60]!r}, but must be {_CHAT} or {_TEXT}")
        if not isinstance(body, Mapping):
            raise UsageError(f"body is {kind_of(body)}, but must be an object")
        with_model = {**body, "model": self.model}
        return read_completion_request(with_model) if url == _TEXT else read_chat_request(with_model)


def _line(row: Row, status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": row.fields.get("custom_id"),
        "response": {"status_code": status, "request_id": f"req_{secrets.token_hex(12)}", "body": dict(body)},
        "error": None,
    }
