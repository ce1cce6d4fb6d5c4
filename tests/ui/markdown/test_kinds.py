"""What each kind of Markdown looks like, also the kinds that few renderers know."""

from __future__ import annotations

import pytest

from phicli.ui.markdown.stream import MarkdownStream, code_blocks


def shown(text: str, width: int = 40) -> str:
    stream = MarkdownStream(lambda: width, colour=False)
    return stream.feed(text) + stream.finish()


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("3. three\n4. four\n", "3. three\n4. four\n"),
        ("10) ten\n", "10) ten\n"),
        ("- a\n  - b\n    - c\n", "• a\n  • b\n    • c\n"),
        ("1. a\n   - b\n     text of b\n", "1. a\n   • b\n     text of b\n"),
        ("- [ ] open\n- [x] done\n", "• [ ] open\n• [x] done\n"),
        ("- a\n\n      code\n", "• a\n\n      code\n"),
    ],
)
def test_lists(source: str, printed: str) -> None:
    assert shown(source) == printed


def test_items_of_nested_lists_wrap_under_their_text() -> None:
    assert shown("- a\n  10. " + "word " * 9) == "• a\n  10. word word word word word word word\n      word word\n"


@pytest.mark.parametrize("indent", ["", "  ", "    "])
def test_a_table_in_a_list_keeps_its_indentation(indent: str) -> None:
    table = f"{indent}| a | b |\n{indent}|---|---|\n{indent}| 1 | 2 |\n"
    assert shown(f"- item\n\n{table}") == f"• item\n\n{indent}a   b\n{indent}─────\n{indent}1   2\n"


def test_a_table_behind_the_mark_of_a_list() -> None:
    assert shown("- | a | b |\n  |---|---|\n  | 1 | 2 |\n") == "•\n  a   b\n  ─────\n  1   2\n"


def test_a_line_break_in_a_cell() -> None:
    assert shown("| a | b |\n|---|---|\n| x<br>y<br/>z | 1 |\n") == "a   b\n─────\nx   1\ny\nz\n"


@pytest.mark.parametrize(
    "text",
    [
        "one  \ntwo\n",  # the break is there anyway; two spaces at the end are not seen
        "one\\\ntwo\n",
        "<details><summary>S</summary>\n<b>x</b> &amp; &lt;\n",
        "a[^1] and [b][1]\n\n[^1]: note\n[1]: http://e.com\n",
        "Big\n===\nword\n",
        "**over\nlines** and _over\nlines_\n",
        "2*3*4, a*b*c, 2**3**4, f(*args, **kwargs), __init__, snake_case_name\n",
        "a | b\n--- | ---\n1 | 2\n",
    ],
)
def test_printed_as_it_is(text: str) -> None:
    assert shown(text, 80) == text.replace("  \n", "\n")


@pytest.mark.parametrize(
    "latex",
    [
        r"\(x\) and \(a_1*b*c_2\) and \( \frac{a}{b} \)",
        r"\[ x^2 \] and $a*b*c$ and $$\alpha_1 \\ \beta_1$$",
        "\\[\na_1*b*c_1 \\\\\n\\]",
        "$$\nx *y* \\\\\n$$",
        r"from $5 to $10",
        "\\[\nnever ends *x*",
    ],
)
def test_latex_is_printed_as_it_is(latex: str) -> None:
    assert shown(f"{latex}\n", 80) == f"{latex}\n"


def test_a_formula_that_never_ends_ends_with_its_paragraph() -> None:
    assert shown("$$ is the *process*\n\n*number*\n") == "$$ is the *process*\n\nnumber\n"


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ('[a](http://e.com "T t") b', 'a (http://e.com "T t") b\n'),
        ("<http://e.com> and <me@e.com>", "http://e.com and me@e.com\n"),
        ("![i](p.png) and ![i](p.png 'T')", 'i (p.png) and i (p.png "T")\n'),
        ("[a](http://e.com/(x)) b", "a (http://e.com/(x)) b\n"),
    ],
)
def test_links(source: str, printed: str) -> None:
    assert shown(source) == printed


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("这是**重要**的。", "这是重要的。\n"),
        ("**注意。**请看", "注意。请看\n"),
        ("你**「注意」**的", "你「注意」的\n"),
        ("是*强调*、`代码`和[链接](http://e.com)。", "是强调、代码和链接 (http://e.com)。\n"),
        ("한국어**굵게**입니다", "한국어굵게입니다\n"),
        ("中文*注 没有", "中文*注 没有\n"),
    ],
)
def test_emphasis_between_letters_of_scripts_without_spaces(source: str, printed: str) -> None:
    assert shown(source) == printed
    stream = MarkdownStream(lambda: 40, colour=False)
    assert "".join(map(stream.feed, source)) + stream.finish() == printed


def test_fences_of_tildes_and_code_with_tabs() -> None:
    source = "~~~python title=x\ndef f():\n\treturn 1\t# tab\n```\n~~~\n"
    assert shown(source) == "[1] python title=x\ndef f():\n\treturn 1\t# tab\n```\n"
    assert code_blocks(source)[0].text == "def f():\n\treturn 1\t# tab\n```\n"


def test_code_in_a_list_is_in_the_list() -> None:
    assert shown("- ```sh\n  ls\n  ```\n  text\n") == "•\n[1] sh\nls\n  text\n"


def test_lists_and_code_in_quotations() -> None:
    assert shown("> - a\n> ```py\n> x = 2*3*4\n> *y*\n> ```\n> *z*\n") == (
        "▌ • a\n▌ ```py\n▌ x = 2*3*4\n▌ *y*\n▌ ```\n▌ z\n"
    )


def test_quoted_code_ends_with_the_quotation() -> None:
    assert shown("> ```\n> *y*\n*z*\n") == "▌ ```\n▌ *y*\nz\n"


def test_headings() -> None:
    assert shown("# A `b` #\n###### c\n####### d\n#e\n") == "A b\nc\n####### d\n#e\n"


def test_a_long_word_is_not_broken() -> None:
    word = "x" * 100
    assert shown(f"a {word} b") == f"a\n{word}\nb\n"


def test_very_deep_quotations_leave_columns_for_the_text() -> None:
    assert shown(">" * 100 + " text of it") == "▌ " * 10 + "text of it\n"
