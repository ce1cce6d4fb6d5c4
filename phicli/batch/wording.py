"""From a row of the input to a request to a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from phicli.answering.asked import NOTHING, Asked
from phicli.batch.scan import require_right
from phicli.batch.types import Row
from phicli.chat_format.continuation import begun_answer
from phicli.chat_format.types import Message
from phicli.errors import UsageError
from phicli.server.openai.fields import Fields, check_value, kind_of
from phicli.server.openai.messages import messages_of
from phicli.templates.text import INPUT, TemplateText

PROMPT: Final = "prompt"
MESSAGES: Final = "messages"
SYSTEM: Final = "system"
_ADD: Final = "write the key prompt or messages, or word it: --prompt 'Text with {key}'"


@dataclass(frozen=True, slots=True)
class Wording:
    """Words the request of each row.

    Attributes:
        base: everything of a request but its messages.
        prompt: of ``--prompt``: what is asked, with the keys of a row as variables.
        template: the prompt of a template; its input is what would be asked without it.
        system: the system message, with variables.
        values: of variables, for all rows; they come before those of a row.
        defaults: of variables that a row has not.
    """

    base: Asked
    prompt: TemplateText | None = None
    template: TemplateText | None = None
    system: TemplateText | None = None
    values: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    defaults: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that a row must give."""
        texts = [text for text in (self.prompt, self.template, self.system) if text is not None]
        names = dict.fromkeys(name for text in texts for name in text.names)
        given = {*self.values, *self.defaults}
        return tuple(name for name in names if name not in given and not (name == INPUT and self.template is not None))

    def asked(self, row: Row) -> Asked:
        """The request of a row.

        Raises:
            UsageError: it cannot be asked; says why.
        """
        require_right(row)
        _require_id(row)
        system = self._system(row)
        messages = tuple(self._messages(row))
        if messages[0].role == "system" or not system:
            return replace(self.base, messages=messages)
        return replace(self.base, messages=(Message("system", system), *messages))

    def _messages(self, row: Row) -> Iterator[Message]:
        if row.fields.get(MESSAGES) is None:
            yield Message("user", self._question(row))
            return
        if row.fields.get(PROMPT) is not None:
            raise UsageError("it has both prompt and messages", "leave out one of them")
        if self.prompt is not None or self.template is not None:
            what = "--prompt" if self.prompt is not None else "the template"
            raise UsageError(f"it has messages, but {what} words a prompt", f"leave out {what}")
        check_value(row.fields[MESSAGES], MESSAGES)
        messages = messages_of(Fields(row.fields))
        if self.base.form is not None and begun_answer(messages):
            raise UsageError("an answer that is to be continued cannot have a form", "leave out the last message")
        yield from messages

    def _question(self, row: Row) -> str:
        if self.prompt is not None:
            question = self.prompt.whole(self._values(row, self.prompt))
        elif self.template is not None and not self.template.takes_input:
            question = "" if PROMPT in self.template.names or PROMPT not in row.fields else self._own_prompt(row)
        else:
            question = self._own_prompt(row)
        if self.template is not None:
            values = self._values(row, self.template)
            return "\n\n".join(
                text for text in (self.template.whole({**values, INPUT: question}), self._behind(question)) if text
            )
        return question

    def _behind(self, question: str) -> str:
        """The question, if the template has no place for it; ``phi chat`` puts it there too."""
        return "" if self.template is None or self.template.takes_input else question

    def _own_prompt(self, row: Row) -> str:
        value = row.fields.get(PROMPT)
        if value is None:
            raise UsageError("it has neither prompt nor messages", _ADD)
        if not isinstance(value, str):
            raise UsageError(f"prompt is {kind_of(value)}, but must be a string")
        if not value.strip():
            raise UsageError("prompt is empty")
        return value

    def _system(self, row: Row) -> str:
        own = row.fields.get(SYSTEM)
        if own is not None and not isinstance(own, str):
            raise UsageError(f"system is {kind_of(own)}, but must be a string")
        if own:
            return own
        return "" if self.system is None else self.system.whole(self._values(row, self.system))

    def _values(self, row: Row, text: TemplateText) -> dict[str, str]:
        values: dict[str, str] = {}
        for name in text.names:
            if name == INPUT and text is self.template:
                continue
            value = self.values.get(name)
            if value is None and (own := row.fields.get(name)) is not None:
                value = own if isinstance(own, str) else json.dumps(own, ensure_ascii=False)
            if value is None:
                value = self.defaults.get(name)
            if value is None:
                raise UsageError(f"it has no value for {{{name}}}")
            values[name] = value
        return values


def bytes_of(asked: Asked) -> int:
    """The bytes of everything that a request says, in UTF-8."""
    said = [asked.text or "", *(message.content for message in asked.messages)]
    calls = [str(dict(call.arguments)) for message in asked.messages for call in message.tool_calls]
    return sum(len(text.encode()) for text in (*said, *calls))


def _require_id(row: Row) -> None:
    name: Any = row.fields.get("id")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int | float)):
        raise UsageError(f"id is {kind_of(name)}, but must be a string or a number")
