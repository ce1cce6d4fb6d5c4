"""Whether an example has the shape of a conversation that a model can be trained with: keys, roles and their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from phicli.training_data.content import check_content, check_reasoning, is_blank
from phicli.training_data.services import Service
from phicli.training_data.tool_shapes import OpenCalls, check_declarations

Add = Callable[[str, str, str], None]
"""Takes the kind of a finding, its place and its message."""

_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset({"role", "content", "name", "tools"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset(
        {"role", "content", "name", "tool_calls", "weight", "thinking", "reasoning_content", "refusal", "function_call"}
    ),
    "tool": frozenset({"role", "content", "name", "tool_call_id"}),
    "function": frozenset({"role", "content", "name"}),
}
_ROLES: Final = frozenset({"system", "user", "assistant", "tool"})
_OTHER_ROLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("human", "instruction", "prompter"), "user"),
    **dict.fromkeys(("gpt", "bot", "ai", "model", "chatgpt", "completion"), "assistant"),
    **dict.fromkeys(("function", "tool_response", "observation"), "tool"),
    "developer": "system",
}
"""What others call a role."""
_CONVERT: Final = "phi data convert turns it into messages"
_OTHER_FORMATS: Final = {
    "conversations": "this is ShareGPT's form",
    "instruction": "this is Alpaca's form",
    **dict.fromkeys(("prompt", "completion"), "this is a prompt with its completion"),
    "text": "this is text without a conversation",
}


class Structure:
    """Checks examples one by one.

    Args:
        service: what takes the data.
        own_keys: keys of an example that are a person's own, such as a group.
        any_own_keys: whether all keys next to messages are, unless they look like one that is known.
    """

    def __init__(self, service: Service, own_keys: Sequence[str] = (), *, any_own_keys: bool = False) -> None:
        self._any_own_keys = any_own_keys
        self._service = service
        self._top = frozenset({"messages", "tools"}) | service.top_keys | frozenset(own_keys)
        self._roles = _ROLES | service.roles
        self._good_tools: Any = None
        self._good_names: frozenset[str] = frozenset()
        self._declared: frozenset[str] = frozenset()
        """Names of the tools that the example declares, which is being checked."""

    def check(self, example: Any, add: Add) -> bool:
        """Report what is wrong with ``example``; returns whether its messages can be read."""
        if type(example) is not dict:
            add("shape", "", _not_an_example(example))
            return False
        self._declared = frozenset()
        messages = example.get("messages")
        if len(example) > 1 or messages is None:
            self._check_keys(example, add)
        if messages is None:
            return self._check_pair(example, add)
        if type(messages) is not list or not messages:
            add("shape", "messages", "messages is not a list" if messages != [] else "the list of messages is empty")
            return False
        self._check_list(messages, "messages", add)
        last = messages[-1].get("role") if type(messages[-1]) is dict else ""
        if last != "assistant" and type(last) is str and last in self._roles:
            add("order", f"messages[{len(messages) - 1}]", "the last message is not an answer of the assistant")
        return True

    def _check_keys(self, example: Mapping[str, Any], add: Add) -> None:
        for key in example:
            if key not in self._top and (problem := self._unknown_top(example, key)):
                add("unknown_key", key, problem)
        if example.get("tools") is not None:
            self._check_tools(example["tools"], add)
            if self._service.drops_tools:
                add("service", "tools", "Phi's chat template leaves tools and their calls out of what is trained on")
        if "functions" in example and "functions" in self._top:
            add("service", "functions", "functions are deprecated: declare tools")

    def _check_tools(self, tools: Any, add: Add) -> None:
        """Check the declarations; in most files they are the same in every line."""
        if self._good_tools is not None and tools == self._good_tools:
            self._declared = self._good_names
            return
        found: list[tuple[str, str, str]] = []
        names = check_declarations(tools, "tools", lambda *one: found.append(one), own_shapes=self._service.own_shapes)
        for one in found:
            add(*one)
        if not found:
            self._good_tools, self._declared, self._good_names = tools, names, names

    def _unknown_top(self, example: Mapping[str, Any], key: str) -> str:
        """What is wrong with a key; empty where it may be there."""
        close = get_close_matches(key, self._top, n=1, cutoff=0.75)
        if close:
            return f"unknown key {key!r}: did you mean {close[0]}?"
        if "messages" not in example and key in _OTHER_FORMATS:
            return f"unknown key {key!r}: {_OTHER_FORMATS[key]}, and {_CONVERT}"
        if self._any_own_keys and "messages" in example:
            return ""
        return f"unknown key {key!r}: a key of your own must be named with --allow-key"

    def _check_pair(self, example: Mapping[str, Any], add: Add) -> bool:
        prompt, completion = example.get("prompt"), example.get("completion")
        if not self._service.takes_pairs or prompt is None or completion is None:
            add("shape", "", "the example has no messages")
            return False
        for key, value in (("prompt", prompt), ("completion", completion)):
            if type(value) is list and value:
                self._check_list(value, key, add, before=prompt if key == "completion" else ())
            elif type(value) is not str:
                add("content", key, f"{key} is neither text nor a list of messages")
            elif is_blank(value):
                add("empty", key, f"the {key} is empty")
        if (type(prompt) is list) != (type(completion) is list):
            add("shape", "completion", "prompt and completion must both be text, or both be messages")
        return type(prompt) is type(completion) and type(prompt) in (list, str)

    def _check_list(self, messages: Sequence[Any], at: str, add: Add, *, before: Any = ()) -> None:
        last, calls, trained = "", OpenCalls(self._service.title if self._service.full_calls else ""), 0
        if type(before) is list and before and type(before[-1]) is dict:
            last = str(before[-1].get("role"))
        for number, message in enumerate(messages):
            place = f"{at}[{number}]"
            if type(message) is not dict:
                add("shape", place, "a message is not an object")
                continue
            role = message.get("role")
            if type(role) is not str or role not in self._roles:
                add("role", f"{place}.role", self._unknown_role(message))
                last = "?"
                continue
            self._check_message(message, role, place, add)
            if role in ("tool", "function"):
                calls.answer(message, place, add)
            else:
                calls.require_none(place, add)
                self._check_order(role, last, number, place, add)
            if role == "assistant":
                calls.open(message, place, add)
                trained += message.get("weight") != 0
            last = role
        self._check_called(calls.called, add)
        if not trained and at == "messages" and any(one.get("weight") == 0 for one in messages if type(one) is dict):
            add("weight", at, "every answer has the weight 0: there is nothing to train on")

    def _check_called(self, called: Sequence[tuple[str, str]], add: Add) -> None:
        """Report calls of functions that are not declared, where any are and all of them can be read."""
        for name, place in called if self._declared else ():
            if name not in self._declared and name != "?":
                close = get_close_matches(name, self._declared, n=1)
                hint = f": did you mean {close[0]}?" if close else ""
                add("tool_call", place, f"the tool {name} is not declared{hint}")

    def _unknown_role(self, message: Mapping[str, Any]) -> str:
        if "role" not in message:
            return "the message has no role"
        role = message["role"]
        meant = _OTHER_ROLES.get(str(role).strip().lower()) or next(
            iter(get_close_matches(str(role).strip().lower(), _ROLES, n=1)), ""
        )
        return f"unknown role {str(role)[:40]!r}" + (f": did you mean {meant}?" if meant else "")

    def _check_message(self, message: Mapping[str, Any], role: str, place: str, add: Add) -> None:
        content = message.get("content")
        if len(message) > 2 or "content" not in message:
            self._check_message_keys(message, role, place, add)
        if type(content) is not str or not content or content.isspace():
            check_content(message, role, place, add, images=self._service.images)
        elif role == "assistant" and "<" in content:
            check_reasoning(content, f"{place}.content", add)

    def _check_message_keys(self, message: Mapping[str, Any], role: str, place: str, add: Add) -> None:
        known = _KEYS[role]
        for key in message:
            if key not in known:
                close = get_close_matches(key, known, n=1, cutoff=0.7)
                hint = f": did you mean {close[0]}?" if close else f": a message of the role {role} does not have it"
                add("unknown_key", f"{place}.{key}", f"unknown key {key!r}{hint}")
        if "weight" in message and role == "assistant":
            self._check_weight(message["weight"], f"{place}.weight", add)
        for key in ("thinking", "reasoning_content"):
            if key in message and role == "assistant":
                self._check_reasoning_key(message[key], f"{place}.{key}", add)
        if role == "system" and "tools" in message:
            if not self._service.own_shapes:
                add("tools", f"{place}.tools", f"{self._service.title} takes tools next to messages only")
            self._declared |= check_declarations(message["tools"], f"{place}.tools", add, own_shapes=True)
        if "function_call" in message and role == "assistant":
            known_here = "function" in self._roles
            add("service" if known_here else "tool_call", f"{place}.function_call",
                "function_call is deprecated: write tool_calls")  # fmt: skip

    def _check_weight(self, weight: Any, place: str, add: Add) -> None:
        if type(weight) is bool or weight not in (0, 1):
            add("weight", place, "a weight is 0 or 1: whether the answer is trained on")
        elif self._service.weight == "ignored":
            add("service", place, f"{self._service.title} ignores weights and trains on this answer")

    def _check_reasoning_key(self, value: Any, place: str, add: Add) -> None:
        if type(value) is not str:
            add("content", place, "the reasoning is not text")
        elif self._service.reasoning == "refused":
            add("reasoning", place, f"{self._service.title} does not take reasoning")
        elif self._service.reasoning == "ignored":
            add("service", place, "Phi's chat template leaves it out: write <think>…</think> into the content")

    def _check_order(self, role: str, last: str, number: int, place: str, add: Add) -> None:
        if role in ("system", "developer"):
            if number or last:
                add("order", place, "the system message is not the first message")
        elif role == "user":
            if last in ("user", "tool", "function"):
                behind = "a question" if last == "user" else "a tool result"
                add("order", place, f"a question follows {behind}: an answer of the assistant must be between them")
        elif last in ("", "system", "developer"):
            add("order", place, "an answer comes first: a question must be in front of it")
        elif last == "assistant":
            add("order", place, "an answer follows an answer: a question must be between them")


def _not_an_example(example: Any) -> str:
    if type(example) is list:
        return f"a list is not an example: one object must stand on each line, and {_CONVERT}"
    kind = {str: "text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}[type(example)]
    return f"{kind} is not an example: one object must stand on each line"
