"""``phi batch`` in a shell, on the embedded model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import Phi

COUNTRIES = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo"}
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"capital": {"enum": ["Paris", "Rome", "Tokyo"]}, "sure": {"type": "boolean"}},
        "required": ["capital", "sure"],
    }
)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def capitals(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    asked = [{"id": name, "prompt": f"What is the capital of {name}?"} for name in COUNTRIES]
    path.write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("country,note\n" + "".join(f'{name},"a, b"\n' for name in COUNTRIES), encoding="utf-8")
    return path


def test_each_line_is_answered_once(phi: Phi, capitals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run = phi("batch", str(capitals), "--out", str(out), "tiny-phi")
    assert (run.code, run.out) == (0, "")
    assert run.err.startswith(f"{out}: 3 of 3 lines answered, 3 asked in ")
    assert [(line["id"], line["text"]) for line in lines(out)] == [
        (name, f"The capital of {name} is {capital}.") for name, capital in COUNTRIES.items()
    ]
    assert {line["model"] for line in lines(out)} == {"tiny-phi:f16"}
    run = phi("batch", str(capitals), "--out", str(out), "tiny-phi")
    assert (run.code, run.err) == (0, f"{out} has all 3 lines already: nothing was asked\n")
    run = phi("batch", str(capitals), "--out", str(out), "tiny-phi", "--quiet")
    assert (run.code, run.out, run.err) == (0, "", "")


def test_a_table_is_filled_by_a_schema(phi: Phi, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run = phi(
        "batch", str(table), "--out", str(out), "tiny-phi", "-p", "What is the capital of {country}?", "--schema",
        SCHEMA, "--json",
    )  # fmt: skip
    assert (run.code, run.err) == (0, "")
    with out.open(encoding="utf-8", newline="") as file:
        head, *records = csv.reader(file)
    assert head == ["country", "note", "capital", "sure", "finish_reason", "error"]
    assert [one[0] for one in records] == [*COUNTRIES]
    assert all(
        one[1] == "a, b" and one[2] in COUNTRIES.values() and one[3] in ("true", "false") and one[4:] == ["stop", ""]
        for one in records
    )
    data = run.json["data"]
    assert (data["lines"], data["answered"], data["failed"], data["workers"]) == (3, 3, 0, {"tiny-phi:f16": 3})
    assert data["usage"]["completion_tokens"] > 0


def test_a_model_before_the_file_is_named(phi: Phi, table: Path) -> None:
    run = phi("batch", "tiny-phi", str(table), "--out", "o.csv", "-p", "{country}", "--json")
    assert (run.code, run.json["error"]["message"]) == (2, f"tiny-phi is not a file, but {table} is")
    assert run.json["error"]["hint"] == f"name the file first: phi batch {table} tiny-phi --out OUT"
    run = phi("batch", "tiny-phi", "--out", "o.csv", "-p", "{country}", "--json")
    assert (run.code, run.json["error"]["message"]) == (2, "tiny-phi is a model, not a file")
    assert run.json["error"]["hint"] == "name the file first: phi batch IN tiny-phi --out OUT"
    run = phi("batch", "tickets.csv", "tiny-phi", "--out", "o.csv", "--json")
    assert (run.code, run.json["error"]["message"]) == (3, "file not found: tickets.csv")


def test_a_line_that_fails_does_not_stop_the_rest(phi: Phi, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    long = "France " * 3000
    source.write_text(
        json.dumps({"prompt": "What is the capital of France?"})
        + "\n{broken\n"
        + json.dumps({"prompt": long})
        + "\n"
        + json.dumps({"prompt": "What is the capital of Italy?"})
        + "\n",
        encoding="utf-8",
    )
    command = ("batch", str(source), "--out", str(out), "tiny-phi", "-c", "1024")
    run = phi(*command, "--json")
    assert run.code == 9
    assert run.json["error"]["code"] == "check_failed"
    assert run.json["error"]["message"] == "2 of 4 lines failed"
    assert run.json["error"]["hint"].endswith(
        " with --retry-failed; 1 line cannot be asked: correct such lines in another file"
    )
    assert [one["line"] for one in run.json["data"]["failures"]] == [2, 3]
    assert [line["error"] and line["error"]["code"] for line in lines(out)] == [None, "usage", "context_exceeded", None]
    run = phi(*command)
    assert run.code == 9
    assert f"{out} has all 4 lines already, 2 of them failed: nothing was asked" in run.err
    assert "line 3: the conversation has" in run.err
    run = phi(*command, "--retry-failed", "--json")
    assert (run.code, run.json["data"]["asked"]) == (9, 1)


def test_an_answer_that_was_cut_off_is_asked_again_with_more(phi: Phi, table: Path, tmp_path: Path) -> None:
    command = (
        "batch",
        str(table),
        "--out",
        str(tmp_path / "o.csv"),
        "tiny-phi",
        "-p",
        "{country}?",
        "--schema",
        SCHEMA,
    )
    run = phi(*command, "--max-tokens", "3", "--json")
    assert run.code == 9
    assert run.json["error"]["hint"].endswith("--retry-failed --max-tokens 12")
    assert run.json["data"]["usage"]["completion_tokens"] == 9


def test_a_template_words_the_lines_and_its_schema_forms_the_answers(phi: Phi, table: Path, tmp_path: Path) -> None:
    template = tmp_path / "capital.toml"
    template.write_text(
        'system = "Answer in {language}."\nprompt = "What is the capital of {country}?"\n'
        f'schema = \'{SCHEMA}\'\nmodel = "tiny-phi"\ntemperature = 0\n[variables]\nlanguage = "English"\n',
        encoding="utf-8",
    )
    out = tmp_path / "out.jsonl"
    run = phi("batch", str(table), "--out", str(out), "-T", str(template))
    assert run.code == 0, run.err
    assert {line["parsed"]["capital"] for line in lines(out)} <= {*COUNTRIES.values()}
    run = phi("batch", str(table), "--out", str(out), "-T", str(template), "--var", "language=German")
    assert (run.code, "with another variables" in run.err) == (2, True), run.err


def test_piped_prompts_and_requests_of_another_service(phi: Phi, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    asked = "What is the capital of France?\r\n\r\nWhat is the capital of Italy?\r\n".encode("utf-8-sig")
    run = phi("batch", "-", "--out", str(out), "tiny-phi", stdin=asked)
    assert run.code == 0
    assert [(line["id"], line["text"][-6:]) for line in lines(out)] == [(1, "Paris."), (3, " Rome.")]
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    request = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    out = tmp_path / "responses.jsonl"
    run = phi("batch", "-", "--out", str(out), "tiny-phi", stdin=json.dumps(request).encode())
    assert run.code == 0
    (response,) = lines(out)
    assert (response["custom_id"], response["response"]["status_code"]) == ("a", 200)
    assert response["response"]["body"]["model"] == "tiny-phi:f16"
    assert response["response"]["body"]["choices"][0]["message"]["content"] == "The capital of France is Paris."


def test_tools_are_called_by_every_line(phi: Phi, tmp_path: Path) -> None:
    source, out, tools = tmp_path / "in.txt", tmp_path / "out.csv", tmp_path / "tools.json"
    source.write_text("What is the weather in Paris?\nWhat is the weather in Rome?\n", encoding="utf-8")
    parameters = {"type": "object", "properties": {"place": {"enum": ["Paris", "Rome"]}}, "required": ["place"]}
    tools.write_text(json.dumps([{"name": "weather", "description": "", "parameters": parameters}]), encoding="utf-8")
    run = phi(
        "batch", str(source), "--out", str(out), "tiny-phi", "--tools", str(tools), "--tool-choice", "weather",
    )  # fmt: skip
    assert run.code == 0, run.err
    with out.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    assert [one["finish_reason"] for one in records] == ["tool_calls"] * 2
    assert all(json.loads(one["tool_calls"])[0]["name"] == "weather" for one in records)


def test_a_common_beginning_is_evaluated_once_per_slot(phi: Phi, tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("".join(f"What is {n} + {n}?\n" for n in range(12)), encoding="utf-8")
    system = "Be exact, and use digits. " * 12
    run = phi("batch", str(source), "--out", str(out), "tiny-phi", "-s", system, "--parallel", "3", "--json")
    assert run.code == 0, run.out
    usages = [line["usage"] for line in lines(out)]
    assert sum(usage["cached_tokens"] < 50 for usage in usages) <= 3
    assert sum(usage["cached_tokens"] > 50 for usage in usages) >= 9


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no.jsonl", "--out", "o.jsonl"], 3, "file not found: no.jsonl"),
        (["in.csv", "--out", "o.csv", "-p", "{land}"], 2, "no column 'land': the columns are country, note"),
        (["in.csv", "--out", "o.csv", "-p", "{country"], 2, "--prompt has a single brace"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--schema", '{"type": "strin"}'], 2, "the schema is wrong"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--tools", "no.json"], 3, "no.json"),
        (["in.csv", "--out", "o.csv", "-p", "x", "-T", "no-such"], 3, "template 'no-such' not found"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--var", "a=b"], 2, "there is no variable {a}"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--input-format", "xml"], 2, "unknown --input-format: 'xml'"),
        (["in.csv", "--out", "in.csv", "-p", "x"], 2, "would replace the input"),
        (["in.csv", "--out", ".", "-p", "x"], 2, "is a folder"),
        (["in.csv", "-p", "x"], 2, "--out"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--restart", "--retry-failed"], 2, "cannot be used together"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--remote", "lab"], 3, "remote 'lab' not found"),
        (["in.csv", "--out", "o.csv", "-p", "x", "--retries", "3"], 2, "--retries requires a form"),
    ],
)
def test_bad_input_is_refused_before_a_model_is_loaded(
    phi: Phi, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    model = [] if "--remote" in arguments else ["tiny-phi"]
    run = phi("batch", *arguments, *model)
    assert (run.code, said in run.err) == (code, True), run.err
    assert not list(tmp_path.glob("o.*"))


def test_a_file_that_does_not_exist(phi: Phi, capitals: Path, tmp_path: Path) -> None:
    done = phi("batch", str(capitals), str(tmp_path / "none.gguf"), "--out", str(tmp_path / "out.jsonl"))
    assert (done.code, "none.gguf does not exist" in done.err) == (3, True), done.err
    assert not (tmp_path / "out.jsonl").exists()


def test_a_model_that_is_not_here_leaves_nothing(phi: Phi, capitals: Path, tmp_path: Path) -> None:
    run = phi("batch", str(capitals), "--out", str(tmp_path / "o.jsonl"), "phi-4-mini")
    assert run.code == 3
    assert "phi-4-mini is not on this machine" in run.err
    assert not list(tmp_path.glob("o.*"))
