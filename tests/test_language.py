"""Plain English, as STYLE.md asks for it: phrases that made readers stumble stay out of messages and documents.

A message is any text with a space in the code of ``phicli`` that is not a docstring: help, errors, hints, notices,
table heads. A value in an f-string reads ``{}`` here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "phicli").rglob("*.py"))
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / name / "README.md" for name in ("training/tiny_phi", "phicli/data/quality")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NOT_PROSE = {"phicli/bench/endpoint/asking.py", "phicli/gguf_file/synthetic_vocabulary.py"}
"""Files whose texts are for models, not for people."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that has no place, the reason, and a sentence from an old version that it finds.

    ``where`` says in what it is searched for: messages always, documents and docstrings where they are named.
    """

    pattern: str
    reason: str
    old: str
    where: tuple[str, ...] = ("documents",)

    def found_in(self, text: str) -> list[str]:
        """The lines of ``text`` with the pattern."""
        return [line for line in text.splitlines() if re.search(self.pattern, line, re.IGNORECASE)]


EVERYWHERE = ("documents", "docstrings")
RULES = [
    Rule(
        r"quantis|licenc|colour|behaviour|favour(?!ite\.)|neighbour|catalogue|\bcentre|initialis|serialis|normalis"
        r"|optimis(?!tic)|recognis|organis|summaris|regularis|memoris|tokenis|\bgrey\b|analys(?:e[ds]?|ing)\b",
        "American spelling: quantization, license, color, behavior",
        "owner/name has no quantisation behind the colon",
        EVERYWHERE,
    ),
    Rule(
        r"(?<!there )\bis no (?!longer\b|more\b)",
        'not "X is no Y" but "X is not a Y"',
        "{} is no file but a device or a pipe",
        EVERYWHERE,
    ),
    Rule(
        r"\bthere is no (?:such\b|\w+ (?:called|named)\b|(?:setting|task|engine|profile|family) \{)",
        'say "unknown X: Y" or "X not found"',
        "there is no task called {}",
    ),
    Rule(r"(?:^|; ?)there is \{\}", 'a list of choices begins with "choose one of" or "the X are"', "there is {}"),
    Rule(
        r"\b(?:tokens?|words?|bytes|requests|operations|objects?) an? (?:second|minute|cycle|line|level)\b",
        'say "per second", "per line"',
        "least tokens a second",
        EVERYWHERE,
    ),
    Rule(r"\b(?:made|recorded) otherwise\b", 'say "recorded under different conditions"', "it was made otherwise: {}"),
    Rule(r"\bwhy not them\b|\bwere weighed\b", 'candidates are "rejected" or "not picked"', "{} more were weighed"),
    Rule(r"slower than .*times as fast", "name the option and its value", "slower than 5 times as fast: {}"),
    Rule(
        r"\b(?:are|is) wanted\b|\{\} wants\b",
        'say "target", "minimum" or "required"',
        "{} tokens/s, where {} are wanted",
    ),
    Rule(r"\bholds for this\b", 'say "used for this run only"', "it holds for this once, as it cannot be kept"),
    Rule(r"\bnothing of (?:it|what|this)\b", "say what was deleted or not saved", "nothing of it was kept"),
    Rule(
        r"\b(?:is|are|was|were) (?:there|here) already\b",
        'say "already exists", "already downloaded", "already registered"',
        "{} is there already: {}",
    ),
    Rule(
        r"\bgo(?:es)? on (?:there|from there|where)\b|\bgoing on (?:with|over)\b",
        'say "continue" or "resume"',
        "the same command goes on from there",
    ),
    Rule(r"\ball the same\b", 'say "anyway"', "compare them all the same with --force"),
    Rule(r"\bnevertheless\b", 'say "anyway"', "to save them nevertheless: phi engine use native", EVERYWHERE),
    Rule(
        r"\bbeside\b",
        'say "next to", "in addition to", "while other programs run"',
        "no kernels for this kind of processor beside the usual ones",
    ),
    Rule(r"\b(?:by|in) turns\b", 'say "alternately", "in alternating rounds"', "medians of 5 rounds in turns"),
    Rule(
        r"\b(?:note|notice|error|command|line) says? so\b|`phi` says so\b",
        'say what is printed: "prints a note", "reports this"',
        "the engine uses the kernels of the wheel, and one note says so",
    ),
    Rule(
        r"(?:^|[:;(] ?)those (?:of|that)\b|\balways those\b",
        'repeat the noun: "the kernels of the wheel"',
        "those of the engine's package: {}",
    ),
    Rule(r"\bof before\b", 'say "the earlier"', "the comparison of before", EVERYWHERE),
    Rule(
        r"\bof (?:its|their) own\b(?! [a-z])",
        'say "a separate X", "its own X"',
        "its texts have a length of their own",
    ),
    Rule(r"\bpretend to have\b", 'say "simulate"', "Pretend to have a GPU with that, such as 8G."),
    Rule(
        r"context (?:is )?kept as|keeps? the context",
        'say "KV cache type"',
        "the context is kept as {}; as f16 it would not fit",
    ),
    Rule(r"\bnobody\b", "say what is unknown or not available", "nobody has ranked it for {}"),
    Rule(r"\bpromise[sd]?\b", 'a hash or a size is "expected"', "sha256 {}, promised {}", where=()),
    Rule(
        r"\bread(?:s|ing)? (?:in )?the prompt\b|tokens are read in\b",
        'say "process the prompt"',
        "reading the prompt: {} % of {} tokens",
        where=(),
    ),
    Rule(r"\bonce more\b|\banew\b", 'say "again"', "{} arrived damaged; downloading it once more", EVERYWHERE),
    Rule(r"\bany more\b", 'say "no longer", or "anymore"', "it does not answer any more", EVERYWHERE),
    Rule(r"\brun (?:it|this) again\b", 'say "run the command again"', "check the network, then run it again", where=()),
    Rule(r"\bleave (?:-\S+|\{\})(?: \w+)? out\b", 'say "leave out X"', "leave --flash-attention off out"),
    Rule(
        r", and (?:only )?\{\} (?:are|is|were|can be)\b",
        'a contrast needs "but"',
        "the text has {} tokens, and {} are needed",
        where=(),
    ),
    Rule(r"\bask for less\b", "name the option and its smaller value", "ask for less: --context {}", where=()),
    Rule(r"\bphi (?:cannot tell|knows no)\b", "state the fact, not what phi cannot do", "phi cannot tell what fits"),
    Rule(r"\bhow true\b|\bin silence\b", 'say "how accurate", "silently"', "How true the predictions are"),
    Rule(r"\bat hand\b", 'say "this machine", "the current time"', "the one at hand", EVERYWHERE),
    Rule(r"\ba process of its own\b", 'say "a separate process"', "in a process of its own", EVERYWHERE),
    Rule(r"(?<!/)\bforg[eo]t", 'say "delete", "clear" or "unregister"', "the tuned settings of {} are forgotten"),
    Rule(r"\bmeanwhile\b", 'say "during the measurement"', "other programs used {} of {} processors meanwhile"),
    Rule(
        r"\b(?:where|it|they) lies?\b|\blies outside\b",
        'a file "is" somewhere; "in place" is the term',
        "Use a GGUF file where it lies.",
    ),
    Rule(
        r"\b(?:does not tell|tells (?:no|a|what|its))\b|\bnothing tells\b",
        'say "report" or "print"',
        "this engine tells no probabilities",
    ),
    Rule(
        r"\bthe rest beside it\b|\} beside it\b", 'say "in main memory"', "{} layers run on the GPU, the rest beside it"
    ),
    Rule(r"\bas it is now\b|\bwhat it has now\b", "name the thing", "take what it has now: phi pull {}"),
    Rule(r"\bfetch(?:ed|es|ing)? again\b|\bbring in\b", 'say "download" or "import"', "bring in files"),
    Rule(
        r"\b(?:let|lets|letting) go of\b|\bgives? (?:the |its )?memory\b.*\bback\b|\bmemory is given back\b",
        'say "unload" a model',
        "Let go of loaded models, or end phi serve.",
    ),
    Rule(r"^Of [a-z]+ and of\b", "begin with a noun or an imperative", "Of sampling and of intervals."),
    Rule(
        r"\ba toy that\b|\bknows nothing\b", "describe plainly", "a toy that proves an installation and knows nothing"
    ),
]


def joined(node: ast.expr) -> str | None:
    """The text of a literal, with ``{}`` for each value in an f-string; None where ``node`` is something else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def texts_in(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each literal below ``node``; a string that is a statement of its own is a docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        text = joined(child) if isinstance(child, ast.expr) else None
        if text is None:
            yield from texts_in(child)
        else:
            yield child.lineno, text  # type: ignore[attr-defined]
            if isinstance(child, ast.JoinedStr):
                for value in child.values:
                    if isinstance(value, ast.FormattedValue):
                        yield from texts_in(value)


@cache
def trees() -> dict[str, ast.Module]:
    return {str(path.relative_to(ROOT).as_posix()): ast.parse(path.read_text(encoding="utf-8")) for path in CODE}


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """Place and text of every message."""
    found = (
        (f"{name}:{line}", text)
        for name, tree in trees().items()
        if name not in NOT_PROSE
        for line, text in texts_in(tree)
    )
    return tuple((place, text) for place, text in found if " " in text.strip())


@cache
def docstrings() -> tuple[tuple[str, str], ...]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ((name, node) for name, tree in trees().items() for node in ast.walk(tree) if isinstance(node, kinds))
    return tuple((f"{name}:{getattr(node, 'lineno', 1)}", ast.get_docstring(node) or "") for name, node in nodes)


@cache
def documents() -> tuple[tuple[str, str], ...]:
    """Place and text of every document without its fences, of the unreleased changes, and of the catalog's models."""
    files = [(str(path.relative_to(ROOT)), FENCE.sub("", path.read_text(encoding="utf-8"))) for path in DOCUMENTS]
    changes = (
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n## Unreleased\n")[2].partition("\n## ")[0]
    )
    files.append(("CHANGELOG.md: Unreleased", changes))
    catalog = tomllib.loads((ROOT / "phicli" / "catalog" / "catalog.toml").read_text(encoding="utf-8"))
    words = ("title", "strength", "best_use", "why_not", "runs_on")
    models = [
        (
            f"catalog: {variant['id']}",
            "\n".join([*(variant.get(word, "") for word in words), *variant.get("notes", ())]),
        )
        for variant in catalog["variant"]
    ]
    return (*files, *models)


def errors() -> Iterator[tuple[str, str]]:
    """Place and text of the first line of every error that is built from a literal."""
    for name, tree in trees().items():
        for node in ast.walk(tree):
            function = getattr(node, "func", None)
            called = getattr(function, "id", getattr(function, "attr", ""))
            if isinstance(node, ast.Call) and str(called).endswith("Error") and node.args:
                text = joined(node.args[0])
                if text:
                    yield f"{name}:{node.lineno}", text


ID = [rule.old for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=ID)
def test_a_phrase_that_made_readers_stumble_stays_out(rule: Rule) -> None:
    places = [*messages()]
    places += documents() if "documents" in rule.where else ()
    places += docstrings() if "docstrings" in rule.where else ()
    found = [f"{place}: {line}" for place, text in places for line in rule.found_in(text)]
    assert not found, f"{rule.reason}\n" + "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=ID)
def test_each_rule_finds_the_old_words(rule: Rule) -> None:
    assert rule.found_in(rule.old)


def test_the_messages_are_found_wherever_they_are_built() -> None:
    code = 'def f(x):\n    """Not this."""\n    raise E(f"no {x}", "see" if x else "do that")\n'
    assert [text for _, text in texts_in(ast.parse(code))] == ["no {}", "see", "do that"]
    assert len(messages()) > 1500


def test_an_error_begins_in_lower_case_and_ends_without_a_full_stop() -> None:
    wrong = [
        f"{place}: {text}"
        for place, text in errors()
        if text.endswith(".") or (re.match(r"[A-Z][a-z]", text) and not re.match(r"Xet|GPU|Python", text))
    ]
    assert not wrong, "\n".join(wrong)


def test_help_is_one_sentence_with_its_default_in_brackets() -> None:
    """``Default: x`` and ``(default x)`` are other notations of ``[default: x]``."""
    wrong = [f"{place}: {text}" for place, text in messages() if re.search(r"\bDefault: |\(default (?!\))", text)]
    assert not wrong, "\n".join(wrong)
