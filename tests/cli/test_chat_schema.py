"""``phi chat`` with a form of the answer, as scripts use it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import gone, wait_for_work
from tests.support.running import Phi

FRANCE = "What is the capital of France?"
CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
REASONS = "Your name is Phi, an AI math expert developed by Microsoft."


def test_an_answer_in_a_schema_is_the_only_output(phi: Phi, tmp_path: Path) -> None:
    path = tmp_path / "city.json"
    path.write_text(json.dumps(CITY))
    for schema in (json.dumps(CITY), str(path)):
        run = phi("chat", "tiny-phi", FRANCE, "--schema", schema)
        assert (run.code, run.err) == (0, "")
        assert json.loads(run.out)["city"] in ("Paris", "Rome")
        assert run.out == json.dumps(json.loads(run.out), separators=(",", ":")) + "\n"


@pytest.mark.parametrize("regex", [".*", r"[A-Z].*\.", "The capital .*"])
def test_a_regular_expression_without_an_end_ends_where_the_model_ends(phi: Phi, regex: str) -> None:
    assert phi("chat", "tiny-phi", FRANCE, "--regex", regex).out == "The capital of France is Paris.\n"


def test_json_has_the_value_and_how_often_the_model_was_asked(phi: Phi) -> None:
    data = phi("chat", "tiny-phi", FRANCE, "--schema", json.dumps(CITY), "--json").json["data"]
    assert data["parsed"] == json.loads(data["text"])
    assert (data["attempts"], data["finish_reason"]) == (1, "stop")
    assert phi("chat", "tiny-phi", FRANCE, "--choice", "Paris,Rome", "--json").json["data"]["parsed"] == "Paris"
    assert not {"parsed", "attempts"} & phi("chat", "tiny-phi", FRANCE, "--json").json["data"].keys()


@pytest.mark.parametrize(
    ("option", "value", "shape"),
    [
        ("--choice", "Paris,Rome", "Paris|Rome"),
        ("--regex", r"[A-Z][a-z]{2,4} \d", r"[A-Z][a-z]{2,4} [0-9]"),
        ("--regex", "/[a-z]/x", "/[a-z]/x"),
    ],
)
def test_an_answer_in_another_form(phi: Phi, option: str, value: str, shape: str) -> None:
    run = phi("chat", "tiny-phi", FRANCE, option, value)
    assert (run.code, run.err) == (0, "")
    assert re.fullmatch(f"(?:{shape})\n", run.out)


def test_grammars_in_both_languages(phi: Phi, tmp_path: Path) -> None:
    for name, text in (("a.gbnf", 'root ::= "Rome" "!"'), ("a.lark", '%llguidance {}\nstart: "Rome" "!"\n')):
        (tmp_path / name).write_text(text)
        assert phi("chat", "tiny-phi", FRANCE, "--grammar", str(tmp_path / name)).out == "Rome!\n"


def test_a_grammar_in_lark_that_allows_more_text_names_its_end(phi: Phi, tmp_path: Path) -> None:
    grammar = tmp_path / "a.lark"
    grammar.write_text("%llguidance {}\nstart: text <|end|>\ntext: /[A-Za-z ,.]+/\n")
    assert phi("chat", "tiny-phi", FRANCE, "--grammar", str(grammar)).out == "The capital of France is Paris.\n"
    grammar.write_text("%llguidance {}\nstart: /[A-Za-z ,.]+/\n")
    without = phi("chat", "tiny-phi", FRANCE, "--grammar", str(grammar), "-n", "30")
    assert (without.code, without.out) == (9, "")
    assert "the answer was cut off after 30 tokens, before it matched the grammar" in without.err


def test_a_number_that_our_limit_cut_off_is_exit_code_9(phi: Phi) -> None:
    """tiny-phi writes decimals as long as it may."""
    run = phi("chat", "tiny-phi", "hi", "--schema", '{"type": "number", "minimum": 0, "maximum": 1}', "--retries", "0")
    assert (run.code, run.out) == (9, "")
    assert "the number did not end within 9 decimals; set multipleOf, e.g. 0.01" in run.err
    own = '{"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.01}'
    assert phi("chat", "tiny-phi", "hi", "--schema", own).code == 0


def test_limits_beyond_those_of_the_engine_are_held_as_far_as_it_can(phi: Phi) -> None:
    for schema, kind in (
        ({"type": "array", "items": {"const": 1}, "maxItems": 10_001}, list),
        ({"type": "string", "maxLength": 3.0}, str),
    ):
        run = phi("chat", "tiny-phi", "hi", "--schema", json.dumps(schema), "--retries", "9")
        assert run.code in (0, 9), run.err
        assert run.code == 9 or isinstance(json.loads(run.out), kind)


def test_a_json_object(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, "--json-object", "-n", "900", "--retries", "5", "--json")
    if run.code == 0:
        assert isinstance(run.json["data"]["parsed"], dict)
    else:
        assert (run.code, run.json["error"]["code"]) == (9, "check_failed")


def test_an_answer_that_never_matches_is_exit_code_9_and_not_on_standard_output(phi: Phi) -> None:
    schema = '{"anyOf": [{"const": "a"}], "not": {"const": "a"}}'
    run = phi("chat", "tiny-phi", FRANCE, "--schema", schema, "--retries", "1")
    assert (run.code, run.out) == (9, "")
    assert "note: attempt 1 does not match the schema: /: 'a' should not be valid under" in run.err
    assert "error: the answer does not match the schema after 2 attempts: /: 'a' should not" in run.err
    quiet = phi("chat", "tiny-phi", FRANCE, "--schema", schema, "--quiet", "--json")
    assert (quiet.code, quiet.err) == (9, "")
    assert quiet.json["error"]["code"] == "check_failed"
    data = quiet.json["data"]
    assert (data["text"], data["finish_reason"], len(data["errors"])) == ('"a"', "stop", 1)
    assert data["model"] == "tiny-phi"


def test_an_answer_that_is_cut_off_is_never_printed(phi: Phi) -> None:
    schema = '{"type": "array", "items": {"const": "abc"}, "minItems": 40}'
    run = phi("chat", "tiny-phi", FRANCE, "--schema", schema, "-n", "20")
    assert (run.code, run.out) == (9, "")
    assert "the answer was cut off after 20 tokens, before it matched the schema" in run.err
    assert "--max-tokens 40" in run.err
    data = phi("chat", "tiny-phi", FRANCE, "--schema", schema, "-n", "20", "--json").json["data"]
    assert data["finish_reason"] == "length"
    assert data["text"].startswith('["abc"')


def test_a_model_that_reasons_does_so_before_the_answer_that_is_held(phi: Phi) -> None:
    arguments = ("chat", "tiny-phi", "What is 7 + 5?", "--system", REASONS, "--regex", r"\d+ \+ \d+ = \d\d")
    run = phi(*arguments)
    assert (run.code, run.out) == (0, "7 + 5 = 12\n")
    assert "7" in run.err
    data = phi(*arguments, "--json").json["data"]
    assert (data["parsed"], data["reasoning"].strip()) == ("7 + 5 = 12", run.err.strip())
    at_once = phi(*arguments, "--think-budget", "0")
    assert at_once.code == 0
    assert re.fullmatch(r"\d+ \+ \d+ = \d\d\n", at_once.out)


def test_an_answer_longer_than_the_first_context_is_whole(phi: Phi) -> None:
    schema = json.dumps({"type": "array", "items": {"const": "abcdefgh"}, "minItems": 60, "maxItems": 60})
    run = phi("chat", "tiny-phi", FRANCE, "--schema", schema)
    assert (run.code, json.loads(run.out)) == (0, ["abcdefgh"] * 60)


def test_a_question_without_an_answer_of_its_form_is_not_saved(phi: Phi) -> None:
    never = ("--schema", '{"anyOf": [{"const": "a"}], "not": {"const": "a"}}', "--retries", "0")
    assert phi("chat", "tiny-phi", FRANCE, "--session", "new", *never).code == 9
    assert phi("sessions", "list", "--json").json["data"]["sessions"] == []
    phi("chat", "tiny-phi", FRANCE, "--session", "new")
    assert phi("chat", "tiny-phi", "And of Italy?", "--session", "new", *never).code == 9
    saved = phi("sessions", "show", "new", "--json").json["data"]
    assert (saved["turns"], [message["content"] for message in saved["messages"]]) == (
        1,
        [FRANCE, "The capital of France is Paris."],
    )


def test_the_settings_are_those_of_the_attempt(phi: Phi) -> None:
    """At temperature 0 the first attempt gives "a", which may not be; another temperature and seed are used then."""
    schema = '{"enum": ["a", "b", "c", "d"], "not": {"const": "FIRST"}}'
    first = phi("chat", "tiny-phi", FRANCE, "--schema", schema, "--seed", "5", "--json").json["data"]
    assert (first["attempts"], first["settings"]["seed"], first["settings"]["temperature"]) == (1, 5, 0.0)
    schema = schema.replace("FIRST", first["parsed"])
    again = phi("chat", "tiny-phi", FRANCE, "--schema", schema, "--seed", "5", "--retries", "20", "--json").json["data"]
    assert again["attempts"] > 1
    assert (again["settings"]["seed"], again["settings"]["temperature"]) == (4 + again["attempts"], 0.7)
    chosen = ("--seed", str(again["settings"]["seed"]), "--temperature", "0.7", "--retries", "0")
    assert phi("chat", "tiny-phi", FRANCE, "--schema", schema, *chosen, "--json").json["data"]["text"] == again["text"]


def test_a_saved_answer_is_made_again_with_its_form(phi: Phi) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "cities", "--choice", "Paris,Rome", "--retries", "1")
    run = phi("sessions", "show", "cities", "--reproduce", "1")
    assert "--choice=Paris,Rome --retries=1" in run.out
    assert phi("chat", "tiny-phi", FRANCE, "--session", "cities").out != "Paris\n"


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_an_interruption_ends_the_engine_and_prints_no_part_of_the_answer(environment: dict[str, str]) -> None:
    never = {"type": "array", "items": {"const": "abc"}, "minItems": 20, "maxItems": 20}
    never |= {"not": {"type": "array"}}
    command = [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE, "--schema", json.dumps(never)]
    command += ["--retries", "100", "--quiet"]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    engine = wait_for_work(process.pid)  # it generates
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err, err.decode()
    assert gone(engine)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_on_a_terminal_an_answer_for_programs_has_no_line_breaks_and_no_colors(environment: dict[str, str]) -> None:
    text = "some **bold** words that go on " * 12
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "phicli", "chat", "tiny-phi", FRANCE, "--schema", json.dumps({"const": text})]
    process = subprocess.Popen(
        command, env=environment | {"TERM": "xterm", "COLUMNS": "60"}, stdin=theirs, stdout=theirs,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert shown.decode() == json.dumps(text) + "\r\n"


def test_plain_chat_does_not_load_what_schemas_need(environment: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        "code = main(sys.argv[1:])\n"
        "print(code, [name for name in ('jsonschema', 'referencing', 'phicli.structured.form') if name in sys.modules])"
    )
    for arguments in (["chat", "--help"], ["chat", "tiny-phi", FRANCE]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "0 []"
