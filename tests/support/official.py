"""The chat templates that Microsoft publishes with the models, and a way to render them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jinja2
import jinja2.sandbox

from phicli.chat_format.types import Message

PHI3 = (
    "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}"
    "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}"
    "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
"""microsoft/Phi-3.5-mini-instruct, tokenizer_config.json."""

PHI3_MEDIUM = (
    "{% for message in messages %}{% if (message['role'] == 'user') %}"
    "{{'<|user|>' + '\n' + message['content'] + '<|end|>' + '\n' + '<|assistant|>' + '\n'}}"
    "{% elif (message['role'] == 'assistant') %}{{message['content'] + '<|end|>' + '\n'}}{% endif %}{% endfor %}"
)
"""microsoft/Phi-3-medium-4k-instruct; system messages vanish in it."""

PHI4 = (
    "{% for message in messages %}{% if (message['role'] == 'system') %}"
    "{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}"
    "{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'assistant') %}"
    "{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
"""microsoft/phi-4 since January 2025."""

PHI4_MINI = (
    "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and "
    "message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + "
    "message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + "
    "'<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}"
    "{{ eos_token }}{% endif %}"
)
"""microsoft/Phi-4-mini-instruct, tokenizer_config.json."""


def render_official(
    template: str, messages: Sequence[Message], *, tools: str | None = None, tool_role: str = "tool_response"
) -> str:
    """The prompt that ``template`` makes; tools go into the first system message, as the card shows."""
    dictionaries: list[dict[str, Any]] = []
    for message in messages:
        role = tool_role if message.role == "tool" else message.role
        dictionaries.append({"role": role, "content": message.content})
        if message.role == "system" and tools is not None:
            dictionaries[-1]["tools"], tools = tools, None
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=dictionaries, add_generation_prompt=True, eos_token="?")
