"""Commands for the model, for files, and to end the conversation: ``/model``, ``/file``, ``/exit``."""

from __future__ import annotations

from phicli.chat.talk import Talk
from phicli.plan.prompt_size import estimate_tokens


def model(talk: Talk, name: str) -> bool:
    """Show the model, or continue with another one."""
    if name:
        talk.models.change(name)
    talk.screen.tell(f"the model is {talk.models.name}")
    return True


def file(talk: Talk, path: str) -> bool:
    """Show, add or remove the files that go with the next question."""
    if path == "-":
        talk.pending = ()
        talk.screen.tell("no file is sent with the next question")
    elif not path:
        names = ", ".join(one.title for one in talk.pending)
        talk.screen.tell(f"sent with the next question: {names}" if names else "no file yet; to add one: /file PATH")
    else:
        attachment = talk.files.read(path)
        talk.pending = (*talk.pending, attachment)
        tokens = estimate_tokens(attachment.block)
        talk.screen.tell(f"{attachment.name}: about {tokens:,} tokens, sent with the next question")
    return True


def leave(_talk: Talk, _: str) -> bool:
    """End the conversation."""
    return False
