"""Regular expressions that the engine and Python read alike."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from phicli.engine.server_engine import LlamaServerEngine
from phicli.errors import UsageError
from phicli.structured.form import SchemaForm
from phicli.structured.grammars import regex_form
from tests.structured.words import answer, engine

ALIKE = (
    "[A-Z]{2}[0-9]{4}", r"(?i)paris|rome", r"(?P<year>\d{4})-\d\d", r"a*?b", r"[\w.-]{1,9}@[\w-]{1,9}\.\w{2}",
    r"[]a]x", r"[^]]", r"\[a\]\{2\}", r"[\[\]]", r"\\b", "(?:a|b){2,4}", r"^Paris$", "(?s)a.b", "é", r"\x41\u0041",
    "[a-z-]", "a{0,3}b", r"\(\?=\)", "[(?=]", r"[$&+-]", "(?x) a b", r"\s\S\D\W", r"[\d\s]x", "/x",
)  # fmt: skip
DIFFERENT = ("[[:alpha:]]{3}", "[^[:alpha:]]", "[a[b]]", "[a-z&&[^b]]", "[a&&b]", "[+--]", "[a~~b]", r"x[\b]")
LACKING = (
    (r"\bParis\b", "a word boundary"),
    (r"\AParis\Z", "an anchor"),
    (r"(a)\1", "a backreference"),
    ("(?P<n>a)(?P=n)", "a backreference"),
    ("(?=a)ab", "lookaround"),
    ("(?<!a)b", "lookaround"),
    ("a++b", "a possessive repetition"),
    ("a{2}+b", "a possessive repetition"),
    ("(?>a)b", "an atomic group"),
    ("(a)?(?(1)b|c)", "a condition"),
    ("(?#c)a", "a comment"),
    ("(?m)^a$", "a flag"),
    (r"(?a)\w", "a flag"),
    (r"\N{BULLET}", "a character by its name"),
    (r"\0", "octal number"),
    ("a{,3}", "write {0,3}"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[LlamaServerEngine]:
    started = engine()
    yield started
    started.close()


@pytest.mark.process
@pytest.mark.parametrize("typed", ALIKE)
def test_answers_of_the_engine_match_where_both_read_alike(running: LlamaServerEngine, typed: str) -> None:
    form = regex_form(typed)
    texts = [answer(running, form.constraint, seed) for seed in range(3)]
    assert [form.check(text, None).problems for text in texts if text is not None] == [()] * 3


@pytest.mark.parametrize("typed", DIFFERENT)
def test_what_they_read_in_different_ways_is_refused_without_a_warning(typed: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="reads in another way than Python"):
            regex_form(typed)


@pytest.mark.parametrize(("typed", "words"), LACKING)
def test_what_the_engine_lacks_is_refused_by_its_name(typed: str, words: str) -> None:
    with pytest.raises(UsageError, match="--regex has what the engine cannot hold: ") as caught:
        regex_form(typed)
    assert words in caught.value.message


@pytest.mark.parametrize("pattern", ["^[^[]+$", r"\babc\b|x", "(?=a)[a-c]+$"])
def test_such_a_pattern_in_a_schema_is_only_checked(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        form = SchemaForm({"type": "string", "pattern": pattern, "maxLength": 5})
        assert "pattern" not in form.constraints(None)[0].text
        assert form.check('"abc"', None).problems == ()
        assert form.check('"a[c"', None).problems != ()
