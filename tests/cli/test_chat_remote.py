"""``phi chat`` with a model of a remote, as people run it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remote_talks import configure, says, sent
from tests.support.running import Phi

pytestmark = pytest.mark.process
PARIS = "The capital of France is Paris."
FRANCE = "What is the capital of France?"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def endpoint(environment: dict[str, str]) -> Iterator[Endpoint]:
    """A remote called ``lab``."""
    with Endpoint(lambda _: says("The capital of ", "France is Paris.")) as found:
        found.models["data"] += [{"id": "phi-4", "max_model_len": 16384}]
        configure(environment, found.url)
        yield found


def test_a_question_is_answered_and_nothing_else_is_printed(phi: Phi, endpoint: Endpoint) -> None:
    run = phi("chat", "lab/phi-4", FRANCE)
    assert (run.code, run.out, run.err) == (0, f"{PARIS}\n", "")
    (asked,) = endpoint.asked
    assert (asked.body["model"], sent(endpoint)) == ("phi-4", [("user", FRANCE)])


def test_no_engine_is_started_and_no_header_of_a_file_is_read(environment: dict[str, str], endpoint: Endpoint) -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        f"code = main(['chat', 'lab/phi-4', {FRANCE!r}])\n"
        "names = ('phicli.engine.process', 'phicli.gguf_file.header', 'phicli.answering.opening', 'phicli.plan.load',"
        " 'xllamacpp', 'huggingface_hub', 'rich', 'prompt_toolkit')\n"
        "print(code, [name for name in names if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [PARIS, "0 []"]


def test_piped_text_and_files_go_with_the_question(phi: Phi, endpoint: Endpoint, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("France: Paris\n")
    run = phi("chat", "lab/phi-4", FRANCE, "--file", str(note), stdin=b"Think of Europe.")
    assert (run.code, run.out) == (0, f"{PARIS}\n")
    assert "note.txt: about " in run.err
    ((_, text),) = sent(endpoint)
    assert "France: Paris" in text
    assert "Think of Europe." in text
    assert text.endswith(FRANCE)


def test_json_has_the_fields_of_the_contract(phi: Phi, endpoint: Endpoint) -> None:
    run = phi("chat", "lab/phi-4", FRANCE, "--json", "--seed", "7", "--temperature", "0.5", "--stop", "END")
    data = run.json["data"]
    assert (data["model"], data["quant"], data["engine"]) == ("lab/phi-4", None, "remote")
    assert data["build"] == f"vllm at {endpoint.url}"
    assert (data["text"], data["finish_reason"], data["attached"]) == (PARIS, "stop", False)
    assert (data["usage"]["prompt_tokens"], data["usage"]["completion_tokens"]) == (33, 2)
    settings = data["settings"]
    assert settings["remote"] == {"name": "lab", "url": endpoint.url, "kind": "vllm"}
    assert (settings["seed"], settings["temperature"], settings["stop"]) == (7, 0.5, ["END"])
    body = endpoint.chats[-1].body
    assert (body["seed"], body["temperature"], body["stop"]) == (7, 0.5, ["END"])


def test_events_and_samples(phi: Phi, endpoint: Endpoint) -> None:
    events = [json.loads(line) for line in phi("chat", "lab/phi-4", FRANCE, "--events").out.splitlines()]
    assert [event["event"] for event in events] == ["start", "text", "text", "done"]
    assert (events[0]["engine"], events[-1]["text"]) == ("remote", PARIS)
    run = phi("chat", "lab/phi-4", FRANCE, "--samples", "2", "--temperature", "1", "--seed", "5", "--json")
    assert [one["text"] for one in run.json["data"]["samples"]] == [PARIS, PARIS]
    assert [one.body["seed"] for one in endpoint.chats[-2:]] == [5, 6]


def test_a_schema_is_sent_and_checked_here(phi: Phi, endpoint: Endpoint) -> None:
    schema = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
    answers = ["Paris!", '{"city": "Paris"}']
    endpoint.behave = lambda number: says(answers[number])
    run = phi("chat", "lab/phi-4", FRANCE, "--schema", schema, "--json")
    assert (run.code, run.json["data"]["parsed"], run.json["data"]["attempts"]) == (0, {"city": "Paris"}, 2)
    assert endpoint.chats[0].body["response_format"]["json_schema"]["schema"] == json.loads(schema)


def calls(arguments: str) -> Behaviour:
    """A call of the tool ``weather``."""
    call = {"index": 0, "id": "x", "function": {"name": "weather", "arguments": arguments}}
    chunk: dict[str, Any] = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    return Behaviour(raw=f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())


def test_a_wrong_call_is_fed_back_once(phi: Phi, endpoint: Endpoint, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([TOOL]))
    endpoint.behave = lambda number: calls('{"town": 1}' if number == 0 else '{"city": "Paris"}')
    run = phi("chat", "lab/phi-4", "Rain?", "--tools", str(tools), "--json")
    assert run.json["data"]["tool_calls"] == [{"name": "weather", "arguments": {"city": "Paris"}}]
    assert "city" in run.json["data"]["tool_error"]
    asked, called, result = endpoint.chats[-1].body["messages"]
    assert (asked["role"], called["role"], result["role"]) == ("user", "assistant", "tool")
    assert result["tool_call_id"] == called["tool_calls"][0]["id"]
    endpoint.behave = lambda _: calls('{"town": 1}')
    assert phi("chat", "lab/phi-4", "Rain?", "--tools", str(tools)).code == 9


def test_tools_are_declared_and_the_choice_is_sent(phi: Phi, endpoint: Endpoint, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([TOOL]))
    endpoint.behave = lambda _: calls('{"city": "Paris"}')
    for choice, expected in (
        ("required", "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
    ):
        run = phi("chat", "lab/phi-4", "Rain?", "--tools", str(tools), "--tool-choice", choice)
        assert (run.code, json.loads(run.out)) == (0, {"name": "weather", "arguments": {"city": "Paris"}})
        body = endpoint.chats[-1].body
        assert body["tool_choice"] == expected
        assert body["tools"][0]["function"]["name"] == "weather"


def test_messages_with_results_of_tools(phi: Phi, endpoint: Endpoint) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "Rain?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "rain"},
    ]
    run = phi("chat", "lab/phi-4", "--messages", "-", stdin=json.dumps(messages).encode())
    assert run.out == f"{PARIS}\n"
    assert [role for role, _ in sent(endpoint)] == ["system", "user", "assistant", "tool"]


def test_a_dry_run_prints_the_request_and_sends_nothing(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    configure(environment, endpoint.url, "keyed", key_env="LAB_KEY")
    run = phi("chat", "keyed/phi-4", FRANCE, "--dry-run", "--top-k", "3", LAB_KEY="secret-key-1")
    first, _, body = run.out.partition("\n")
    assert first == f"POST {endpoint.url}/chat/completions"
    assert json.loads(body)["top_k"] == 3
    assert "secret-key-1" not in run.out + run.err
    data = phi("chat", "lab/phi-4", FRANCE, "--dry-run", "--json", "--system", "be brief").json["data"]
    assert data["request"]["body"]["messages"][0] == {"role": "system", "content": "be brief"}
    assert data["settings"]["system"] == "be brief"
    assert endpoint.asked == []


def test_what_the_kind_does_not_take_is_said(phi: Phi, endpoint: Endpoint, environment: dict[str, str]) -> None:
    configure(environment, endpoint.url, "plain", kind="openai")
    run = phi("chat", "plain/phi-4", FRANCE, "--top-k", "3", "--think-budget", "5")
    assert run.out == f"{PARIS}\n"
    assert "--top-k has no effect: plain" in run.err
    assert "--think-budget has no effect: plain" in run.err
    assert "top_k" not in endpoint.chats[-1].body


@pytest.mark.parametrize(
    "option", [("--threads", "2"), ("--engine", "xllamacpp"), ("--context", "512"), ("--kv-type", "q8_0"),
               ("--repack", "on"), ("--gpu-layers", "1"), ("--llama-server", "x", "--engine", "llama-server")],
)  # fmt: skip
def test_options_of_an_engine_are_refused(phi: Phi, endpoint: Endpoint, option: tuple[str, ...]) -> None:
    run = phi("chat", "lab/phi-4", FRANCE, *option)
    assert run.code == 2
    assert "sets an engine of this machine, but lab/phi-4 is a model of the remote lab" in run.err
    assert endpoint.asked == []


def test_a_setting_of_the_engine_is_for_other_models(phi: Phi, endpoint: Endpoint) -> None:
    assert phi("config", "set", "threads", "2").code == 0
    run = phi("chat", "lab/phi-4", FRANCE)
    assert (run.code, run.out, run.err) == (0, f"{PARIS}\n", "")


def test_the_model_setting_a_template_and_the_last_model(phi: Phi, endpoint: Endpoint, tmp_path: Path) -> None:
    assert phi("config", "set", "model", "lab/phi-4").code == 0
    assert phi("chat", FRANCE).out == f"{PARIS}\n"
    assert phi("config", "unset", "model").code == 0
    assert phi("chat", stdin=FRANCE.encode()).out == f"{PARIS}\n"
    template = tmp_path / "capital.toml"
    template.write_text('model = "lab/other"\nprompt = "What is the capital of {input}?"\n')
    assert phi("chat", "-T", str(template), "France").out == f"{PARIS}\n"
    assert (endpoint.chats[-1].body["model"], sent(endpoint)) == ("other", [("user", FRANCE)])


def test_numbers_have_no_memory_of_this_machine(phi: Phi, endpoint: Endpoint) -> None:
    run = phi("chat", "lab/phi-4", FRANCE, "--stats", "--verbose")
    assert f"remote: lab, {endpoint.url}\n" in run.err
    assert "prompt: 33 tokens\n" in run.err
    assert "memory:" not in run.err
    assert "engine:" not in run.err


def test_names_that_are_nearly_right(phi: Phi, endpoint: Endpoint) -> None:
    run = phi("chat", "lab", FRANCE)
    assert run.code == 3
    assert "lab is a remote, not a model" in run.err
    assert "phi remotes test lab" in run.err
    run = phi("chat", "lbb/phi-4", FRANCE)
    assert run.code == 3
    assert "did you mean lab/phi-4" in run.err
    run = phi("chat", "lab/", FRANCE)
    assert run.code == 2
    assert "the name of the model is missing" in run.err
    run = phi("chat", "LAB/phi-4", FRANCE)
    assert run.out == f"{PARIS}\n"
    assert len(endpoint.chats) == 1


def test_reasoning_goes_to_standard_error(phi: Phi, endpoint: Endpoint) -> None:
    reasoning = {"choices": [{"index": 0, "delta": {"reasoning": "I know that."}, "finish_reason": None}]}
    text = {"choices": [{"index": 0, "delta": {"content": "Paris."}, "finish_reason": "stop"}]}
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in (reasoning, text)) + "data: [DONE]\n\n"
    endpoint.behave = lambda _: Behaviour(raw=stream.encode())
    run = phi("chat", "lab/phi-4-reasoning", FRANCE)
    assert run.out == "Paris.\n"
    assert run.err.startswith("I know that.\n")
    assert phi("chat", "lab/phi-4-reasoning", FRANCE, "--json").json["data"]["reasoning"] == "I know that."


def test_notices_come_beside_data(phi: Phi, endpoint: Endpoint, environment: dict[str, str]) -> None:
    configure(environment, endpoint.url, "plain", kind="openai")
    for more in (("--json",), ("--json", "--samples", "1")):
        run = phi("chat", "plain/phi-4", FRANCE, "--top-k", "3", *more)
        assert run.json["data"]["text" if "--samples" not in more else "samples"]
        assert "note: --top-k has no effect: plain" in run.err
    assert phi("chat", "plain/phi-4", FRANCE, "--top-k", "3", "--json", "--quiet").err == ""


def test_options_without_effect_are_said(phi: Phi, endpoint: Endpoint) -> None:
    run = phi("chat", "lab/phi-4", FRANCE, "--no-memory-check", "--keep-state")
    assert (run.code, run.out) == (0, f"{PARIS}\n")
    assert [line for line in run.err.splitlines() if "has no effect on a model of a remote" in line] == [
        "note: --keep-state has no effect on a model of a remote",
        "note: --no-memory-check has no effect on a model of a remote",
    ]
    assert phi("chat", "lab/phi-4", FRANCE, "--no-memory-check", "--quiet").err == ""
    assert phi("chat", "lab/phi-4", FRANCE, "--no-keep-state", "--no-attach").err == ""


def test_a_context_that_is_unknown_shortens_nothing_and_is_said(phi: Phi, endpoint: Endpoint) -> None:
    run = phi("chat", "lab/other", "--session", "trip", FRANCE, "--on-overflow", "drop")
    assert run.out == f"{PARIS}\n"
    assert "note: the context size of lab/other is unknown, so nothing is left out (drop)" in run.err


def test_where_text_goes_is_said_once_and_also_quietly(phi: Phi, environment: dict[str, str]) -> None:
    configure(environment, "https://far.example.org/v1", "far")
    first = phi("chat", "far/phi-4", FRANCE, "--quiet", "--dry-run")
    assert "far is another machine: prompts, files and answers go to https://far.example.org/v1" in first.err
    assert phi("chat", "far/phi-4", FRANCE, "--dry-run").err == ""


def test_a_name_that_is_both_means_the_remote_and_is_said(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    (Path(environment["HF_HOME"]) / "hub" / "models--lab--phi-4").mkdir(parents=True)
    run = phi("chat", "lab/phi-4", FRANCE)
    assert run.out == f"{PARIS}\n"
    assert "lab/phi-4 is the model of the remote lab, not the repository of that name" in " ".join(run.err.split())
