"""Files as rows: JSON lines, prompts, tables."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from phicli.batch.formats import layout_of
from phicli.batch.lines import MOST_LINE_BYTES, json_rows, lines_of, prompt_rows
from phicli.batch.source import open_source
from phicli.batch.types import InputFormat, Row
from phicli.errors import NotFoundError, UsageError


def read(path: Path, asked: InputFormat | None = None) -> list[Row]:
    with open_source(str(path)) as source, source.reader() as file:
        return list(layout_of(source, asked).rows(file))


def test_lines_have_their_numbers_and_no_ends() -> None:
    file = io.BytesIO(b"\xef\xbb\xbfone\r\n\r\ntwo\nthree")
    assert list(lines_of(file)) == [(1, b"one"), (2, b""), (3, b"two"), (4, b"three")]  # type: ignore[arg-type]


def test_empty_lines_are_left_out_and_count() -> None:
    rows = list(prompt_rows(io.BytesIO(b"\n one\n\t\ntwo\n")))  # type: ignore[arg-type]
    assert [(row.number, row.line, row.fields["prompt"]) for row in rows] == [(0, 2, " one"), (1, 4, "two")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"prompt": "a"', "it is not JSON: expecting ',' delimiter at column 15"),
        (b'["a"]', "it is not a JSON object"),
        (b'"a"', "it is not a JSON object"),
        (b'{"a": 1, "a": 2}', "the key 'a' occurs twice in one object"),
        (b'{"a": NaN}', "NaN is not a JSON value"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": "\xff"}', "it is not UTF-8 text"),
        (b'{"a": "\\ud800"}', "it has half of a character"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number has 5,000 digits"),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_broken_line_is_a_row_with_a_problem_and_the_rest_goes_on(line: bytes, problem: str) -> None:
    rows = list(json_rows(io.BytesIO(b'{"a": 0}\n' + line + b'\n{"a": 2}\n')))  # type: ignore[arg-type]
    assert [(row.line, row.problem) for row in rows] == [(1, ""), (2, problem), (3, "")]
    assert rows[2].fields == {"a": 2}


def test_a_whole_pair_of_halves_is_a_character() -> None:
    (row,) = json_rows(io.BytesIO(b'{"prompt": "\\ud83d\\ude00"}'))  # type: ignore[arg-type]
    assert row.fields == {"prompt": "😀"}


def test_a_line_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phicli.batch.lines.MOST_LINE_BYTES", 10)
    rows = list(prompt_rows(io.BytesIO(b"short\n" + b"x" * 35 + b"\nagain\n")))  # type: ignore[arg-type]
    assert [row.line for row in rows] == [1, 2, 3]
    assert [bool(row.problem) for row in rows] == [False, True, False]
    assert MOST_LINE_BYTES == 64 << 20


def test_the_name_and_the_first_line_say_what_the_file_is(tmp_path: Path) -> None:
    contents = {
        "a.csv": "name\nx\n",
        "b.tsv": "name\tnote\nx\ty\n",
        "c.jsonl": '{"prompt": "x"}\n',
        "d.txt": '{"prompt": "x"}\n',
        "e.txt": "what is {this}?\n",
        "f.jsonl": '{"custom_id": "x", "body": {}}\n',
    }
    formats = []
    for name, content in contents.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        with open_source(str(tmp_path / name)) as source:
            formats.append(layout_of(source, None).format)
    assert formats == ["csv", "tsv", "jsonl", "jsonl", "lines", "openai"]


def test_a_table_has_quoted_cells_on_several_lines_and_empty_records(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes('\ufeffid, text\r\n1,"a, ""b""\r\nc"\r\n\r\n,x,\r\n2,=1+1\r\n3\r\n4,"x"y\r\n5,ö\r\n'.encode())
    rows = read(table)
    assert [(row.number, row.line) for row in rows] == [(0, 2), (1, 5), (2, 6), (3, 7), (4, 8), (5, 9)]
    assert rows[0].fields == {"id": "1", "text": 'a, "b"\r\nc'}
    assert rows[1].problem == "it has 3 columns, but the first line has 2"
    assert rows[2].fields == {"id": "2", "text": "=1+1"}
    assert rows[3].problem == "it has 1 column, but the first line has 2"
    assert rows[4].problem.startswith("it is not CSV")
    assert rows[5].fields == {"id": "5", "text": "ö"}


def test_a_table_of_a_european_spreadsheet_has_semicolons(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a;b\n1,5;2\n", encoding="utf-8")
    assert read(table)[0].fields == {"a": "1,5", "b": "2"}
    table.write_text('a,"b;c;d"\n1,2\n', encoding="utf-8")
    assert read(table)[0].fields == {"a": "1", "b;c;d": "2"}


def test_a_record_that_is_not_utf_8_is_broken(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"a\ngr\xfc\xdfe\nb\n")
    assert [row.problem for row in read(table)] == ["it is not UTF-8 text", ""]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\n", "no line with the names of the columns"),
        ("a.csv", b"a,b,a\n1,2,3\n", "two columns with the name 'a'"),
        ("a.csv", b"gr\xfc\xdfe\n1\n", "not UTF-8"),
        ("a.jsonl", b'[{"prompt": "x"}]', "one JSON list"),
        ("a.txt", "x\ny".encode("utf-16"), "UTF-16"),
        ("a.xlsx", b"PK\x03\x04\x00\x00", "not text"),
    ],
)
def test_a_file_that_is_no_list_of_lines_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="not found"):
        read(tmp_path / "no.jsonl")
    with pytest.raises(UsageError, match="is a folder"):
        read(tmp_path)


def test_a_pipe_is_read_more_than_once() -> None:
    with open_source("-", io.BytesIO(b"one\ntwo\n")) as source:
        texts = [source.reader().read() for _ in range(2)]
        first, second = source.reader(), source.reader()
        assert first.readline() == second.readline() == b"one\n"
    assert texts == [b"one\ntwo\n"] * 2


def test_a_file_that_grows_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n", encoding="utf-8")
    with open_source(str(tmp_path / "a.txt")) as source:
        source.require_same()
        with (tmp_path / "a.txt").open("a", encoding="utf-8") as file:
            file.write("two\n")
        with pytest.raises(UsageError, match="was changed while it was read"):
            source.require_same()


@pytest.mark.parametrize("between", [",", ";"])
def test_a_table_with_a_hundred_thousand_columns(tmp_path: Path, between: str) -> None:
    table, columns = tmp_path / "table.csv", 100_000
    heads = between.join(f"c{n}" for n in range(columns))
    table.write_text(f"{heads}\n{between.join('x' * columns)}\n", encoding="utf-8")
    (row,) = read(table)
    assert (len(row.fields), row.fields["c99999"], row.problem) == (columns, "x", "")


def test_line_ends_of_an_old_mac_are_named(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"id,prompt\r1,a\r")
    with pytest.raises(UsageError, match="carriage return") as error:
        read(table)
    assert "tr '\\r' '\\n'" in error.value.hint
    table.write_bytes(b"id,prompt\n1,a\r2,b\n3,c\n")
    assert [(row.line, "carriage return" in row.problem) for row in read(table)] == [(2, True), (3, False)]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_line_of_a_table_that_is_too_long_is_one_broken_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote: str
) -> None:
    monkeypatch.setattr("phicli.batch.table.MOST_LINE_BYTES", 40)
    table = tmp_path / "table.csv"
    table.write_text(f"id,prompt\n1,a\n2,{quote}{'b' * 100}{quote}\n3,c\n", encoding="utf-8")
    assert [(row.line, bool(row.problem)) for row in read(table)] == [(2, False), (3, True), (4, False)]


def test_a_column_that_is_too_long_is_one_broken_record(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"id,prompt\n1,a\n2," + b"b" * ((16 << 20) + 1) + b"\n3,c\n")
    rows = read(table)
    assert [(row.line, bool(row.problem)) for row in rows] == [(2, False), (3, True), (4, False)]
    assert "16 million characters" in rows[1].problem
