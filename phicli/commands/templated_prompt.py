"""What is asked where a template has a prompt."""

from __future__ import annotations

from collections.abc import Callable

from phicli.chat.dialogue import Attachment
from phicli.templates.text import TemplateText
from phicli.ui.prompt_input import Prompt


def read_templated(
    prompt: TemplateText, read: Callable[[str | None], Prompt | None], typed: str | None, *, files: bool
) -> Prompt | None:
    """What to send: for a ``prompt`` with ``{input}`` the input, else the whole question.

    Piped text is an attachment, also where no question was ``typed``: what is asked is in the template.

    Args:
        prompt: the prompt of the template.
        read: reads what to send for what was typed (:func:`~phicli.ui.prompt_input.read_prompt`).
        typed: the prompt that was typed, None where none was.
        files: whether files go with the question, which are input too.

    Raises:
        UsageError: as ``read``.
    """
    if typed is not None and typed != "-":
        text = typed if prompt.takes_input or not typed.strip() else f"{prompt.whole()}\n\n{typed}"
        return read(text)
    if typed is None and not prompt.takes_input:
        return read(prompt.whole())
    if typed is None and files:
        beside = read("the files")  # which are enough: standard input may be empty
        return None if beside is None else Prompt("", beside.attachments)
    piped = read(typed)
    asked = "" if prompt.takes_input else prompt.whole()
    return None if piped is None else Prompt(asked, (Attachment("", piped.question),))
