"""What a check says about a file as a whole, and what lines have in common."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from phicli.errors import UsageError
from phicli.training_data.checking import Checking, CheckOptions
from phicli.training_data.lines import LONGEST_LINE_BYTES, lines_of
from phicli.training_data.services import service_called
from phicli.training_data.texts import special_tokens
from tests.training_data.examples import (
    GOOD,
    OF_THE_CARD,
    THINKING,
    WITH_TOOLS,
    checked,
    errors,
    line,
    numbered,
    warnings,
)


def test_windows_line_ends_and_a_missing_one_at_the_end_are_fine() -> None:
    data = b"".join(one.replace(b"\n", b"\r\n") for one in numbered(12))[:-2]
    report = checked(data)
    assert report.usable
    assert [(one.kind, one.severity) for one in report.findings.kept()] == [("line_ends", "note")]
    assert "11 lines end as on Windows" in report.findings.kept()[0].message


@pytest.mark.parametrize(("service", "severity"), [(None, "note"), ("trl", "warning"), ("azure", None)])
def test_a_byte_order_mark_at_the_beginning(service: str | None, severity: str | None) -> None:
    report = checked(b"\xef\xbb\xbf" + b"".join(numbered(12)), service)
    found = [one.severity for one in report.findings.kept() if one.kind == "byte_order_mark"]
    assert (report.usable, found) == (True, [severity] if severity else [])
    assert report.files[0].examples == 12


def test_azure_documents_a_byte_order_mark() -> None:
    report = checked(b"".join(numbered(12)), "azure")
    assert report.usable
    assert [one.kind for one in warnings(report)] == ["byte_order_mark"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("".join(map(bytes.decode, numbered(3))).encode("utf-16"), "UTF-16"),
        ("".join(map(bytes.decode, numbered(3))).encode("utf-16-le"), "UTF-16"),
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"PK\x03\x04\x14\x00", "ZIP"),
        (b"GGUF\x03\x00\x00\x00", "a model"),
    ],
)
def test_what_is_not_text_is_refused_at_once(data: bytes, says: str) -> None:
    (found,) = errors(checked(data))
    assert (found.kind, found.line, says in found.message) == ("file", 0, True)


def test_an_empty_file_and_a_json_list() -> None:
    assert [one.kind for one in errors(checked(b""))] == ["count"]
    assert not checked(json.dumps([GOOD, GOOD], indent=1).encode()).usable
    (whole,) = [one for one in errors(checked(json.dumps([GOOD]).encode())) if one.line]
    assert "phi data convert" in whole.message


def test_empty_lines_are_a_warning() -> None:
    lines = numbered(12)
    report = checked(b"".join([*lines[:2], b"\n", b"  \r\n", *lines[2:]]))
    assert report.usable
    assert [(one.kind, one.line) for one in warnings(report)] == [("empty_line", 3), ("empty_line", 4)]


def test_a_line_of_50_mb_is_refused_and_the_rest_is_checked() -> None:
    long = {"messages": [{"role": "user", "content": "x" * (50 << 20)}, {"role": "assistant", "content": "y"}]}
    data = b"".join([*numbered(6), line(long), *numbered(6, 6), b"{}\n"])
    del long
    tracemalloc.start()
    report = checked(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(one.kind, one.line) for one in errors(report)] == [("line_too_long", 7), ("shape", 14)]
    assert report.files[0].bytes == len(data)
    assert peak < 3 * LONGEST_LINE_BYTES, "the line is not held in memory"


def test_lines_at_the_limit() -> None:
    file = io.BytesIO(b"a" * 10 + b"\n" + b"b" * 11 + b"\n" + b"c" * 10)
    told: list[int] = []
    read = list(lines_of(file, told.append, longest=10))
    assert read == [(1, b"a" * 10 + b"\n", 11), (2, None, 12), (3, b"c" * 10, 10)]
    assert told[-1] == 33


def test_memory_does_not_grow_with_the_file() -> None:
    def lines() -> Any:
        for number in range(4000):
            text = "word " * 200 + str(number)
            yield line({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "b"}]})

    data = b"".join(lines())
    checked(data[:2000])
    checking, file = Checking(CheckOptions()), io.BytesIO(data)
    tracemalloc.start()
    checking.read(file, "train.jsonl")
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert checking.report().usable
    assert grown < 4000 * 16 * 2 + 100_000, "16 bytes for each example, and nothing of its text"


def test_exact_duplicates_are_named_with_the_first_line() -> None:
    lines = numbered(12)
    reordered = json.loads(lines[2])
    reordered["messages"] = [dict(reversed(one.items())) for one in reordered["messages"]]
    data = b"".join([*lines, json.dumps(reordered, indent=None, separators=(" ,", ": ")).encode() + b"\n", lines[2]])
    found = [(one.kind, one.line, one.message) for one in errors(checked(data))]
    assert found == [
        ("duplicate", 13, "the same example as in line 3"),
        ("duplicate", 14, "the same example as in line 3"),
    ]


def test_keys_of_a_person_do_not_hide_a_duplicate() -> None:
    data = b"".join([*numbered(11), line({**GOOD, "group": 1}), line({**GOOD, "group": 2})])
    assert [(one.kind, one.line) for one in errors(checked(data, own_keys=("group",)))] == [("duplicate", 13)]


def test_a_validation_set_that_is_a_copy() -> None:
    lines = numbered(12)
    report = checked(b"".join(lines), validation=b"".join(lines))
    assert [(one.kind, one.file, one.line) for one in errors(report)] == [("validation", "valid.jsonl", 0)]
    assert "all of its 12 examples are in train.jsonl too" in errors(report)[0].message
    found = errors(checked(b"".join(lines), validation=b"".join([*lines, *numbered(1, 70)])))
    assert [one.line for one in found] == list(range(1, 13))
    assert {(one.kind, one.file) for one in found} == {("validation", "valid.jsonl")}
    assert found[4].message == "the same example as in line 5 of train.jsonl"
    assert checked(b"".join(lines), validation=b"".join(numbered(3, 50))).usable


def test_errors_of_a_validation_file_are_found_too() -> None:
    report = checked(b"".join(numbered(12)), validation=b"".join(numbered(3, 50)) + b"{}\n")
    assert [(one.file, one.line) for one in errors(report)] == [("valid.jsonl", 4)]


@pytest.mark.parametrize(("service", "usable"), [("azure", False), ("openai", False), ("trl", True), (None, True)])
def test_too_few_examples(service: str | None, usable: bool) -> None:
    report = checked(b"".join(numbered(9)), service)
    assert report.usable == usable
    assert any(one.kind == "count" for one in report.findings.kept())
    assert checked(b"".join(numbered(10)), service).usable


def test_a_file_that_is_too_large_for_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    small = replace(service_called("openai"), max_bytes=1000)
    checking = Checking(CheckOptions(small))
    checking.read(io.BytesIO(b"".join(numbered(12))), "train.jsonl")
    assert [one.kind for one in errors(checking.report())] == ["size"]


@pytest.mark.parametrize(
    ("service", "example", "kinds"),
    [
        ("openai", WITH_TOOLS, []),
        ("azure", WITH_TOOLS, []),
        ("openai", OF_THE_CARD, ["tools", "tool_call", "tool_result"]),
        ("openai", THINKING, ["reasoning"]),
        ("trl", OF_THE_CARD, ["tools"]),
        ("trl", {"prompt": "What is 1 plus 1?", "completion": "2"}, []),
        ("trl", {"prompt": GOOD["messages"][:2], "completion": GOOD["messages"][2:]}, []),
        ("trl", {"prompt": GOOD["messages"][:2], "completion": "Paris"}, ["shape"]),
        ("trl", {"prompt": GOOD["messages"][:1], "completion": GOOD["messages"][2:]}, ["order"]),
        ("trl", {"prompt": "x", "completion": " "}, ["empty"]),
        (None, {"prompt": "x", "completion": "y"}, ["unknown_key", "unknown_key", "shape"]),
        ("openai", {"messages": [{"role": "developer", "content": "x"}, *GOOD["messages"][1:]]}, []),
        (None, {"messages": [{"role": "developer", "content": "x"}, *GOOD["messages"][1:]]}, ["role"]),
    ],
)
def test_what_a_service_refuses(service: str | None, example: dict[str, Any], kinds: list[str]) -> None:
    report = checked(b"".join([*numbered(10), line(example)]), service)
    assert [one.kind for one in errors(report)] == kinds, errors(report)


def test_trl_is_warned_of_what_it_ignores() -> None:
    report = checked(b"".join([*numbered(10), line(THINKING), line(WITH_TOOLS)]), "trl")
    assert report.usable
    places = [(one.line, one.place) for one in warnings(report)]
    assert places == [(11, "messages[3].weight"), (11, "messages[3].reasoning_content"), (12, "tools")]


def test_an_unknown_service() -> None:
    with pytest.raises(UsageError, match="unknown service: gcp"):
        service_called("gcp")


def test_more_tokens_than_a_service_documents() -> None:
    huge = line({"messages": [{"role": "user", "content": "word " * 70_000}, {"role": "assistant", "content": "a"}]})
    data = b"".join(numbered(10)) + huge
    assert not warnings(checked(data))
    found = warnings(checked(b"\xef\xbb\xbf" + data, "azure"))
    assert [(one.kind, one.line) for one in found] == [("too_long", 11)]
    assert "more than Azure AI Foundry documents for an example, 65,536" in found[0].message
    counted = checked(b"\xef\xbb\xbf" + data, "azure", counter=Every(70_000))
    assert {(one.kind, one.line, one.severity) for one in counted.findings.kept()} == {
        ("service", number, "warning") for number in range(1, 12)
    }


class Every:
    """Counts the same number of tokens for every example."""

    model, format, context_tokens = "it", "phi4", 131_072

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    def count(self, example: Mapping[str, Any]) -> int:
        return self._tokens


def test_an_interrupted_check_has_what_was_found() -> None:
    class Interrupted(io.BytesIO):
        """Ctrl-C where the file goes on."""

        def readline(self, size: int | None = -1) -> bytes:
            if found := super().readline(size):
                return found
            raise KeyboardInterrupt

    checking = Checking(CheckOptions())
    lines = numbered(3)
    with pytest.raises(KeyboardInterrupt):
        checking.read(Interrupted(b"".join([*lines, lines[1], b"{]\n"])), "train.jsonl")
    checking.interrupt()
    report = checking.report()
    assert [(one.kind, one.line) for one in errors(report)] == [("duplicate", 4), ("json", 5)]
    assert (report.usable, report.interrupted, report.files[0].lines) == (False, True, 5)
    assert not [one for one in report.findings.kept() if one.kind == "count"]


def test_an_interruption_between_two_files_repeats_no_finding() -> None:
    checking = Checking(CheckOptions())
    lines = numbered(3)
    checking.read(io.BytesIO(b"".join([*lines, lines[1]])), "train.jsonl")
    checking.interrupt()
    assert [(one.kind, one.line) for one in errors(checking.report())] == [("duplicate", 4)]


def test_the_first_errors_in_words() -> None:
    report = checked(b"".join([*numbered(3), b"{]\n", b"5\n"]))
    assert report.first_errors(1).startswith("line 4: ")
    assert report.first_errors(2).count("line ") == 2
    assert checked(gzip.compress(b"x")).first_errors(1).startswith("the file is compressed by gzip")
    two = Checking(CheckOptions())
    for name in ("train.jsonl", "validation.jsonl"):
        two.read(io.BytesIO(b"".join(numbered(2))), name)
    assert two.report().first_errors(1) == (
        "validation.jsonl: all of its 2 examples are in train.jsonl too: it is a copy, or a part of it"
    )


def test_without_a_model_a_huge_example_is_a_warning() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 20_000
    huge = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "b"}]}
    report = checked(b"".join([*numbered(10), line(huge)]))
    assert report.usable
    assert [(one.kind, one.line) for one in warnings(report)] == [("too_long", 11)]


@pytest.mark.parametrize(
    "text", ["AKIAIOSFODNN7EXAMPLE", "hf_" + "x" * 34, "sk-your-key-goes-here-your-key-goes-here", "task-list"]
)
def test_placeholders_are_not_secrets(text: str) -> None:
    said = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "b"}]}
    assert checked(b"".join([*numbered(10), line(said)])).usable


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "Q3EGBJ7KLPX2MZ4W",
        "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3h",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
    ],
)
def test_secrets_are_found_and_never_printed(text: str) -> None:
    said = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": f"it is {text}"}]}
    report = checked(b"".join([*numbered(10), line(said)]))
    assert [(one.kind, one.place) for one in errors(report)] == [("secret", "messages[1].content")]
    assert text[:16] not in json.dumps(report.to_data())


def test_special_tokens_of_every_format_are_known() -> None:
    known = {
        "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>", "<|im_start|>", "<|im_sep|>",
        "<|im_end|>", "<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>", "<|tool_response|>",
    }  # fmt: skip
    assert known <= set(special_tokens())
    assert "<think>" not in special_tokens()


def test_only_some_findings_of_each_kind_are_kept_and_all_are_counted() -> None:
    data = b"{}\n" * 100
    some, everything = checked(data, keep=20), checked(data, keep=None)
    assert (len(errors(some)), some.findings.count("error"), some.findings.bad_lines) == (20, 100, 100)
    assert (len(errors(everything)), everything.findings.count("error")) == (100, 100)
