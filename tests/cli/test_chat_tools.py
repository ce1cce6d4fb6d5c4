"""``phi chat`` with tools, and with a list of messages."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import edited
from tests.support.running import Phi

QUESTION = "What is the weather in Paris?"
FRANCE = "What is the capital of France?"
WEATHER = {"name": "get_weather", "arguments": {"city": "Paris"}}
RESULT = {"sky": "sunny", "celsius": 21}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI = [
    {
        "type": "function",
        "function": {"name": "get_weather", "description": "The weather in a city", "parameters": SCHEMA},
    }
]
CARD = [{"name": "get_weather", "description": "The weather in a city", "parameters": {"city": {"type": "str"}}}]
PYTHON = '''
def get_weather(city: str) -> str:
    """The weather in a city"""
    raise SystemExit("nothing runs")
'''


def written(folder: Path, content: Any, name: str = "tools.json") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.fixture(params=["openai", "card", "python"])
def tools(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file that declares get_weather, in each form."""
    if request.param == "python":
        return written(tmp_path, PYTHON, "tools.py")
    return written(tmp_path, {"openai": OPENAI, "card": CARD}[request.param])


@pytest.fixture
def card(tmp_path: Path) -> str:
    return written(tmp_path, CARD)


def called(call: dict[str, Any]) -> dict[str, Any]:
    """A call as OpenAI has it in a message."""
    function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
    return {"id": "call_1", "type": "function", "function": function}


def test_the_whole_conversation_with_a_tool(phi: Phi, tools: str) -> None:
    first = phi("chat", "tiny-phi", QUESTION, "--tools", tools, "--json")
    data = first.json["data"]
    assert first.code == 0
    assert (data["tool_calls"], data["finish_reason"], data["text"]) == ([WEATHER], "tool_calls", "")
    user = {"role": "user", "content": QUESTION}
    as_openai = [
        user,
        {"role": "assistant", "content": None, "tool_calls": [called(data["tool_calls"][0])]},
        {"role": "tool", "tool_call_id": "call_1", "content": json.dumps(RESULT, separators=(",", ":"))},
    ]
    as_printed = [
        user,
        {"role": "assistant", "content": "", "tool_calls": data["tool_calls"]},
        {"role": "tool", "content": json.dumps(RESULT)},
    ]
    for messages in (as_openai, as_printed):
        sent = json.dumps(messages).encode()
        second = phi("chat", "tiny-phi", "--messages", "-", "--tools", tools, stdin=sent)
        assert (second.code, second.out, second.err) == (0, "It is sunny in Paris, at 21 degrees.\n", "")


@pytest.mark.parametrize("output", [(), ("--no-stream",), ("--quiet",)], ids=str)
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_call_is_a_line_of_json(phi: Phi, card: str, choice: str, output: tuple[str, ...]) -> None:
    arguments = ("chat", "tiny-phi", QUESTION, "--tools", card, "--tool-choice", choice)
    run = phi(*arguments, *output)
    assert (run.code, run.out, run.err) == (0, json.dumps(WEATHER) + "\n", "")
    several = phi(*arguments, *output, "--samples", "2", "--temperature", "0.1")
    assert (several.code, several.out) == (0, f"{run.out}\n{run.out}")


def test_a_question_that_needs_no_tool(phi: Phi, card: str) -> None:
    data = phi("chat", "tiny-phi", FRANCE, "--tools", card, "--json").json["data"]
    assert (data["tool_calls"], data["finish_reason"], data["text"]) == ([], "stop", "The capital of France is Paris.")


@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_a_call_can_be_required(phi: Phi, card: str, choice: str) -> None:
    data = phi("chat", "tiny-phi", FRANCE, "--tools", card, "--tool-choice", choice, "--json").json["data"]
    assert [call["name"] for call in data["tool_calls"]] == ["get_weather"]
    assert data["finish_reason"] == "tool_calls"


def test_without_a_choice_nothing_is_declared(phi: Phi, card: str) -> None:
    data = phi("chat", "tiny-phi", QUESTION, "--tools", card, "--tool-choice", "none", "--json").json["data"]
    plain = phi("chat", "tiny-phi", QUESTION, "--json").json["data"]
    assert data["tool_calls"] == []
    assert data["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]


@pytest.mark.parametrize("choice", ["required", "get_weather"])
@pytest.mark.parametrize("output", [(), ("--no-stream",), ("--json",), ("--events",), ("--samples", "2")], ids=str)
def test_a_call_that_was_required_and_cut_off_is_an_error(
    phi: Phi, card: str, choice: str, output: tuple[str, ...]
) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--tools", card, "--tool-choice", choice, "-n", "5", *output)
    assert run.code == 9
    assert "the tool call was cut off after 5 tokens" in run.err + run.out
    if "--json" in output or "--events" in output:
        failed = json.loads(run.out.splitlines()[-1])
        assert (failed["error"]["code"], failed["data"]["finish_reason"]) == ("check_failed", "length")
        assert failed["error"]["hint"] == "allow more tokens: --max-tokens 10"
    else:
        assert run.out == ""
        assert "called no tool" not in run.err


def test_a_call_that_no_context_holds_names_the_context(phi: Phi, card: str) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--tools", card, "--tool-choice", "required", "--context", "48")
    assert (run.code, run.out) == (9, "")
    assert "cut off after 5 tokens: the context of 48 is full" in run.err
    assert "--context" in run.err.splitlines()[-1]


def test_a_stop_text_does_not_end_a_call(phi: Phi, card: str) -> None:
    data = phi("chat", "tiny-phi", QUESTION, "--tools", card, "--stop", "name", "--json").json["data"]
    assert (data["tool_calls"], data["stopped_by"]) == ([WEATHER], None)


def test_a_call_that_the_model_chose_and_that_was_cut_off_is_an_error(phi: Phi, card: str) -> None:
    run = phi("chat", "tiny-phi", QUESTION, "--tools", card, "-n", "5", "--json")
    assert (run.code, run.json["error"]["message"]) == (9, "the tool call was cut off after 5 tokens")
    assert run.json["data"]["finish_reason"] == "length"
    cut = phi("chat", "tiny-phi", FRANCE, "--tools", card, "-n", "5", "--json")
    assert (cut.code, cut.json["data"]["finish_reason"]) == (0, "length"), "text that was cut off is no error"


def test_a_wrong_call_is_fed_back_once(phi: Phi, tmp_path: Path) -> None:
    """tiny-phi is not told of the parameter that is missing: it is required, but not among the properties."""
    parameters = {**SCHEMA, "required": ["city", "unit"]}
    declared = written(
        tmp_path, [{"name": "get_weather", "description": "The weather in a city", "parameters": parameters}]
    )
    error = "get_weather: 'unit' is a required property"
    run = phi("chat", "tiny-phi", QUESTION, "--tools", declared)
    assert f"note: the model made a wrong tool call: {error}; it is asked again\n" in run.err
    data = phi("chat", "tiny-phi", QUESTION, "--tools", declared, "--json").json["data"]
    assert data["tool_error"] == error
    assert data["usage"]["cached_tokens"] > 50


def test_the_numbers_say_what_the_declarations_cost(phi: Phi, card: str) -> None:
    lines = dict(
        line.split(": ", 1) for line in phi("chat", "tiny-phi", FRANCE, "--tools", card, "--stats").err.splitlines()
    )
    total, declared = re.match(r"(\d+) tokens \((\d+) declare tools\)", lines["prompt"]).groups()  # type: ignore[union-attr]
    alone = phi("chat", "tiny-phi", FRANCE, "--json").json["data"]["usage"]["prompt_tokens"]
    assert int(total) - int(declared) == alone


def test_twenty_tools_cost_their_tokens_once(phi: Phi, tmp_path: Path) -> None:
    others = [{"name": f"f{number}", "parameters": {"a": {"type": "str"}}} for number in range(19)]
    twenty = written(tmp_path, [*others, *CARD], "twenty.json")
    arguments = ("--tools", twenty, "--json")
    first = phi("chat", "tiny-phi", FRANCE, "--session", "s", *arguments).json["data"]["usage"]
    alone = phi("chat", "tiny-phi", FRANCE, "--json").json["data"]["usage"]["prompt_tokens"]
    declared = first["prompt_tokens"] - alone
    assert declared > 300
    second = phi("chat", "tiny-phi", "And of Italy?", "--session", "s", *arguments).json["data"]
    assert second["text"] == "The capital of Italy is Rome."
    assert second["usage"]["cached_tokens"] >= first["prompt_tokens"] > declared
    samples = phi("chat", "tiny-phi", QUESTION, "--samples", "2", *arguments).json["data"]["samples"]
    assert [sample["tool_calls"] for sample in samples] == [[WEATHER], [WEATHER]]
    assert samples[1]["usage"]["cached_tokens"] > declared


def test_a_right_call_has_no_error(phi: Phi, card: str) -> None:
    assert phi("chat", "tiny-phi", QUESTION, "--tools", card, "--json").json["data"]["tool_error"] is None


def test_a_session_says_how_an_answer_with_tools_is_made_again(phi: Phi, card: str) -> None:
    first = phi("chat", "tiny-phi", FRANCE, "--tools", card, "--tool-choice", "required", "--session", "s", "--json")
    command = phi("sessions", "show", "s", "--reproduce", "1").out
    assert f"--tools={card} --tool-choice=required" in command
    again = phi(*shlex.split(command)[1:], "--json").json["data"]
    assert again["tool_calls"] == first.json["data"]["tool_calls"] != []


def test_what_is_wrong_with_tools_is_said(phi: Phi, tmp_path: Path, card: str) -> None:
    cases = [
        (["hi", "--tools", written(tmp_path, {"a": 1}, "object.json")], "object.json is not a list but an object"),
        (["hi", "--tools", written(tmp_path, "x = 1\ny = 1 / 0", "bad.py")], "bad.py, line 2: the import fails: Zero"),
        (["hi", "--tools", card, "--tools", written(tmp_path, OPENAI, "more.json")], "two tools are called get_w"),
        (["hi", "--tools", card, "--tool-choice", "get_time"], "--tool-choice 'get_time': unknown tool"),
        (["hi", "--tool-choice", "required"], "--tool-choice requires --tools"),
        (["hi", "--tool-choice", "auto"], "--tool-choice requires --tools"),
        (["hi", "--tool-choice", ""], "--tool-choice requires --tools"),
        (["hi", "--tools", card, "--tool-choice", ""], "--tool-choice '': unknown tool"),
        (["hi", "--tools", ""], "--tools is empty"),
        (["hi", "--tools", json.dumps(CARD)], "--tools takes the name of a file, not JSON"),
        (["--messages", ""], "--messages is empty"),
        (["hi", "--force-tools"], "--force-tools requires --tools"),
        (["hi", "--tools", card, "--choice", "yes,no"], "an answer with a form cannot call tools"),
    ]  # fmt: skip
    for arguments, why in cases:
        run = phi("chat", "tiny-phi", *arguments)
        assert (run.code, run.out) == (2, "")
        assert why in run.err
    assert phi("chat", "tiny-phi", "hi", "--tools", str(tmp_path / "none.json")).code == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_conversation_in_a_terminal_says_what_to_do_instead(environment: dict[str, str], card: str) -> None:
    chat = ("chat", "tiny-phi", "--tools", card)
    code, screen = edited(environment, *chat, editor="")
    assert (code, "--tools is for a single question, but no prompt was given" in screen) == (2, True)
    assert "phi chat MODEL 'your question' --tools FILE; --messages sends the results" in " ".join(screen.split())
    code, screen = edited(environment, *chat, "hi", "--interactive", editor="")
    assert (code, "--tools and --interactive cannot be used together" in screen) == (2, True)
    assert "leave out one of them; --messages sends the results of tool calls" in " ".join(screen.split())
    for option in (("--events",), ("--samples", "2"), ("--dry-run",)):
        code, screen = edited(environment, "chat", "tiny-phi", "hi", "-i", *option, editor="")
        assert (code, f"{option[0]} and --interactive cannot be used together" in screen) == (2, True)


def test_wrong_messages_are_named_by_their_number(phi: Phi) -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]
    run = phi("chat", "tiny-phi", "--messages", "-", stdin=json.dumps(messages).encode())
    assert (run.code, run.out) == (2, "")
    assert "error: standard input: message 2: a tool result must follow a tool call" in run.err


def test_messages_of_a_conversation(phi: Phi, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": FRANCE},
        {"role": "assistant", "content": "The capital of France is Paris."},
        {"role": "user", "content": [{"type": "text", "text": "And of Italy?"}]},
    ]
    name = written(tmp_path, messages, "messages.json")
    run = phi("chat", "tiny-phi", "--messages", name)
    assert (run.code, run.err) == (0, "")
    assert "Rome" in run.out
    assert phi("chat", "tiny-phi", "--messages", name, "--json").json["data"]["text"] == run.out.strip()
    one = phi("chat", "tiny-phi", "--messages", "-", stdin=json.dumps({"role": "user", "content": FRANCE}).encode())
    assert one.out == "The capital of France is Paris.\n"


def test_messages_bring_their_own_system_message(phi: Phi) -> None:
    reasons = {"role": "system", "content": "Your name is Phi, an AI math expert developed by Microsoft."}
    sent = json.dumps([reasons, {"role": "user", "content": "What is 7 + 5?"}]).encode()
    assert "12" in phi("chat", "tiny-phi", "--messages", "-", "--json", stdin=sent).json["data"]["text"]


def test_what_cannot_go_with_messages(phi: Phi, tmp_path: Path) -> None:
    name = written(tmp_path, [{"role": "user", "content": "a"}], "messages.json")
    for others, what in [
        (["hello"], "a prompt"), (["--system", "x"], "--system"), (["--file", name], "--file"),
        (["--session", "x"], "--session"),
    ]:  # fmt: skip
        run = phi("chat", "tiny-phi", *others, "--messages", name)
        assert run.code == 2
        assert f"--messages and {what} cannot be used together" in run.err
    assert phi("chat", "tiny-phi", "--messages", str(tmp_path / "none")).code == 3


def test_piped_text_next_to_messages_is_named(phi: Phi, tmp_path: Path) -> None:
    arguments = ("chat", "tiny-phi", "--messages", written(tmp_path, [{"role": "user", "content": FRANCE}], "m.json"))
    run = phi(*arguments, stdin=b"hello")
    assert (run.code, run.out) == (0, "The capital of France is Paris.\n")
    note = "note: 5 bytes of standard input are not read; to read messages from there: --messages -\n"
    assert run.err == (note if sys.platform != "win32" else "")
    for quiet in (["--quiet"], ["--no-stdin"]):
        assert phi(*arguments, *quiet, stdin=b"hello").err == ""
    assert (phi(*arguments, stdin=b"").err, phi(*arguments).err) == ("", "")


@pytest.mark.parametrize("arguments", [["chat", "--help"], ["chat", "tiny-phi", FRANCE]], ids=["help", "plain"])
def test_chat_without_tools_loads_nothing_of_them(environment: dict[str, str], arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        f"code = main({arguments!r})\n"
        "parts = ('phicli.tools', 'jsonschema', 'phicli.chat.importing', 'phicli.ui.events', 'phicli.ui.dry_run')\n"
        "print('LOADED', code, [name for name in sys.modules if name.startswith(parts)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "LOADED 0 []"
