"""What becomes of each word of JSON Schema, found out on the real engine: the table in ``docs/structured.md``.

``python -m tests.structured.words`` writes the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import phicli
from phicli.engine.constraint import Constraint
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, Done, LoadSettings, Sampling
from phicli.errors import UsageError
from phicli.structured.form import SchemaForm
from tests.support.files import TINY_PHI

DOCUMENT: Final = Path(phicli.__file__).parents[1] / "docs" / "structured.md"
BEGIN, END = "<!-- table of words -->\n", "<!-- end of table -->\n"
ENGINE, AFTERWARDS, NOBODY, REFUSED = "the engine", "the check afterwards", "not enforced", "refused"
_SAMPLES: Final = 30
_PROMPT: Final = "<|user|>x<|end|><|assistant|>"


@dataclass(frozen=True, slots=True)
class Word:
    """A row: a schema that has the word, and a value that the word alone forbids."""

    name: str
    schema: Any
    forbidden: Any = None


def _object(**words: Any) -> dict[str, Any]:
    """An object that may have ``a`` and ``b``, and that ``words`` say more about."""
    names = {"a": {"type": "boolean"}, "b": {"type": "boolean"}}
    return {"type": "object", "properties": names, "additionalProperties": False, **words}


def _array(**words: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "boolean"}, "maxItems": 3, **words}


def _integer(**words: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": 9, **words}


def _text(**words: Any) -> dict[str, Any]:
    return {"type": "string", **words}


WORDS: Final = (
    Word("`type`, also a list", {"type": ["boolean", "null"]}, 3),
    Word("`enum`", {"enum": ["a", 1, None]}, "b"),
    Word("`const`", {"const": {"a": [1]}}, {"a": []}),
    Word("`minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`", _integer(exclusiveMaximum=5), 5),
    Word("`multipleOf`", _integer(multipleOf=3), 4),
    Word("`minLength`, `maxLength`", _text(minLength=2, maxLength=4), "a"),
    Word("`pattern`", _text(pattern="^[a-c]{2}[0-9]$"), "aa"),
    Word("`pattern` with lookaround or a backreference", _text(pattern="^(?!a)[a-z]", maxLength=2), "ab"),
    Word("`format`: `date`", _text(format="date"), "yesterday"),
    Word("`format`: `date-time`", _text(format="date-time"), "now"),
    Word("`format`: `time`", _text(format="time"), "now"),
    Word("`format`: `duration`", _text(format="duration", maxLength=30), "long"),
    Word("`format`: `email`", _text(format="email", maxLength=12), "a"),
    Word("`format`: `hostname`", _text(format="hostname", maxLength=12), "%"),
    Word("`format`: `ipv4`, `ipv6`", _text(format="ipv4"), "1.2"),
    Word("`format`: `uuid`", _text(format="uuid"), "1"),
    Word("`format`: `regex`, `idn-email`", _text(format="idn-email", maxLength=3), "a"),
    Word("`format`: any other, such as `uri` or `path`", _text(format="uri", maxLength=3), "% %"),
    Word("`properties`, `required`, `additionalProperties`", _object(required=["a"]), {"b": True}),
    Word("`patternProperties`", {"type": "object", "patternProperties": {"^x[0-9]$": {"type": "null"}},
                                 "additionalProperties": False, "maxProperties": 1}, {"y": None}),
    Word("`minProperties`, `maxProperties`", _object(minProperties=1), {}),
    Word("`propertyNames`", {"type": "object", "propertyNames": {"maxLength": 1}, "maxProperties": 2,
                             "additionalProperties": {"type": "null"}}, {"long": None}),
    Word("`dependentRequired`, `dependentSchemas`, `dependencies`", _object(dependentRequired={"a": ["b"]}),
         {"a": True}),
    Word("`unevaluatedProperties`", {"type": "object", "allOf": [{"properties": {"a": {"type": "null"}}}],
                                     "unevaluatedProperties": False, "maxProperties": 1}, {"b": 1}),
    Word("`items`, `minItems`, `maxItems`", _array(minItems=1), []),
    Word("`prefixItems`", {"type": "array", "prefixItems": [{"type": "null"}], "items": False}, [1]),
    Word("`uniqueItems`", _array(uniqueItems=True, minItems=2), [True, True]),
    Word("`contains`, `minContains`, `maxContains`", _array(contains={"const": True}), [False]),
    Word("`unevaluatedItems`", {"type": "array", "prefixItems": [{"type": "null"}], "unevaluatedItems": False,
                                "minItems": 1, "maxItems": 2}, [None, 1]),
    Word("`anyOf`", {"anyOf": [{"const": 1}, {"const": "x"}]}, 2),
    Word("`allOf`", {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 9}]}, 2),
    Word("`oneOf` of schemas that cannot match at once", {"oneOf": [{"const": 1}, {"const": "x"}]}, 2),
    Word("`oneOf` of others", {"oneOf": [_integer(maximum=6), _integer(minimum=4)]}, 5),
    Word("`not`", _integer(**{"not": {"minimum": 5}}), 5),
    Word("`if`, `then`, `else`", _integer(**{"if": {"minimum": 5}, "then": {"multipleOf": 2}}), 7),
    Word("`$ref` into `$defs` or `definitions`, `$anchor`, `$id`",
         {"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}, 1),
    Word("`$dynamicRef`", {"$dynamicRef": "#x", "$defs": {"x": {"$dynamicAnchor": "x", "type": "boolean"}}}, 1),
    Word("`title`, `description`, `default`, `examples`, unknown words", {"type": "boolean", "more": 2}, True),
    Word("`$ref` to another document", {"$ref": "https://example.org/schema.json"}),
    Word("`$ref` that leads only back to itself", {"$ref": "#"}),
    Word("a type, `$schema` or `pattern` that does not exist", {"type": "text"}),
)  # fmt: skip


def engine() -> LlamaServerEngine:
    """The engine with tiny-phi, which at a high temperature answers anything that it is not kept from."""
    return LlamaServerEngine(LoadSettings(TINY_PHI, 256, EngineSettings(threads=1)))


def holder(running: LlamaServerEngine, word: Word) -> str:
    """Who holds an answer to a word."""
    try:
        form = SchemaForm(word.schema)
    except UsageError:
        return REFUSED
    texts = [answer(running, form.constraints(60)[0], seed) for seed in range(_SAMPLES)]
    right = [not form.check(text, 60).problems for text in texts if text is not None]
    assert len(right) > _SAMPLES // 3, f"{word.name}: most answers are cut off"
    if not all(right):
        return AFTERWARDS
    checked = bool(form.check(json.dumps(word.forbidden), 60).problems)
    return ENGINE if checked or word.name.removeprefix("`format`: `").rstrip("`") in HELD_FORMATS else NOBODY


HELD_FORMATS: Final = ("date-time", "time", "duration", "hostname")
"""Formats that jsonschema does not check without further packages, so that only the engine holds them."""


def answer(running: LlamaServerEngine, constraint: Constraint, seed: int) -> str | None:
    """A random answer under a constraint; None for one that was cut off."""
    sampling = Sampling(
        temperature=3.0 + seed % 3 * 4, top_k=0, top_p=1.0, min_p=0.0, seed=seed, max_tokens=120, constraint=constraint
    )
    events = list(running.generate(running.tokenize(_PROMPT, parse_special=True), sampling))
    (done,) = [event for event in events if isinstance(event, Done)]
    if done.finish_reason == "length":
        return None
    return "".join(event.text for event in events if isinstance(event, Chunk))


def table() -> str:
    """The table, in Markdown."""
    running = engine()
    try:
        rows = [f"| {word.name} | {holder(running, word)} |" for word in WORDS]
    finally:
        running.close()
    return "\n".join(["| word | held by |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")
