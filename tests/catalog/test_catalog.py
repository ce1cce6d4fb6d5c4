"""What is refused, and in which words."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.names import squash
from phicli.catalog.parse import parse
from phicli.catalog.types import Dimensions, GgufFile, GgufSource, SamplingDefaults, Score
from phicli.errors import IntegrityError
from tests.support.catalog_check import check

TOP = "schema = 1\n"
A = """
[[variant]]
id = "a"
aliases = ["an-a"]
family = "f"
title = "t"
repo = "o/a"
parameters = 10
active_parameters = 5
context_tokens = 8
original_context_tokens = 4
license = "MIT"
release = "2025-02"
languages = ["en", "de"]
architecture = "phi3"
dimensions = { layers = 1, heads = 4, kv_heads = 2, head_size = 8, hidden = 32, vocabulary = 9, tied = true, feed_forward = 5, experts = 4, experts_used = 2 }
prompt_format = "phi-3"
stop_tokens = ["<|end|>"]
reasoning = true
system_prompt = "s"
sampling = { temperature = 0, top_p = 0.9, top_k = 4, min_p = 0.1 }
runs_on = "llama.cpp"
capabilities = ["chat", "reasoning", "multilingual"]
strength = "strong"
best_use = "tests"
notes = ["mind"]
provenance = { license = "r", release = "r", languages = "r", context = "r", dimensions = "r", system_prompt = "r", sampling = "r", strength = "r", runs_on = "r" }

[variant.scores.r]
MMLU = 50
"AIME 2024" = { value = 12.5, note = "again" }

[[variant.gguf]]
repo = "o/r"
revision = "0123456789012345678901234567890123456789"
architecture = "llama"
source = "r"
note = "llamafied"
files = [
    { quant = "Q8_0", filename = "a.gguf", size_bytes = 7, sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
    { quant = "UD-Q4_K_XL", filename = "b.gguf", size_approx_bytes = 10_000_000 },
]
"""  # noqa: E501
B = """
[[variant]]
id = "b"
family = "f"
title = "t"
parameters = 10
context_tokens = 8
license = "MIT"
runs_on = "vLLM"
why_not = "nobody wrote it"
strength = "strong"
best_use = "tests"
provenance = { license = "r", context = "r", strength = "r", runs_on = "r" }
"""
END = """
[system_prompts]
s = "You are."
[references]
r = "example.org"
"""
SMALL = TOP + A + B + END
GGUF = '\n[[variant.gguf]]\nrepo = "%s"\nsource = "r"\nfiles = [{ quant = "Q8_0", filename = "%s" }]\n'
COPY_OF_A = A.replace('id = "a"', 'id = "c"').replace("an-a", "a-c").replace("o/r", "o/c")
OTHER_FILES = COPY_OF_A.replace("a.gguf", "c.gguf").replace("b.gguf", "d.gguf")


def test_a_small_catalogue() -> None:
    book = parse(SMALL)
    check(book)
    first, second = book.variants
    assert (first.id, first.aliases, first.quants, first.runs_here) == ("a", ("an-a",), ("Q8_0", "UD-Q4_K_XL"), True)
    assert first.system_prompt == "You are."
    assert first.dimensions == Dimensions(1, 4, 2, 8, 32, 9, True, 5, 4, 2)
    assert first.sampling == SamplingDefaults(0, 0.9, 4, 0.1)
    assert first.scores == (Score("MMLU", 50, "r"), Score("AIME 2024", 12.5, "r", "again"))
    files = (
        GgufFile("Q8_0", "a.gguf", 7, "0123456789abcdef" * 4),
        GgufFile("UD-Q4_K_XL", "b.gguf", size_approx_bytes=10_000_000),
    )
    assert first.sources == (GgufSource("o/r", "0123456789" * 4, files, "llama", "r", "llamafied"),)
    assert first.provenance["license"] == "r"
    assert dict(book.references) == {"r": "example.org"}
    assert (second.runs_here, second.sources, second.dimensions, second.why_not) == (False, (), None, "nobody wrote it")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "x = = 1", "the file"),
        ("schema = 1", "schema = 2", "the file: schema = 2"),
        ("schema = 1", "schema = 1\ncolour = 1", "the file: unknown key colour"),
        ("schema = 1", "schema = 1\nvariant = 3", "the file: "),
        ('id = "b"', 'id = "b"\ncolour = 1', "variant b: unknown key colour"),
        ('id = "b"', 'id = "b"\nsources = []', "variant b: unknown key sources"),
        ('id = "b"', 'id = "b"\nruns_here = true', "variant b: unknown key runs_here"),
        ('id = "b"\n', "", "variant .: the key id is missing"),
        ('title = "t"\nparameters', "parameters", "variant b: the key title is missing"),
        ('license = "MIT"\nruns_on', "runs_on", "variant b: the key license is missing"),
        ("parameters = 10", 'parameters = "10"', "variant a: parameters"),
        ("parameters = 10", "parameters = true", "variant a: parameters"),
        ("parameters = 10", "parameters = 1.5", "variant a: parameters"),
        ('family = "f"', "family = 3", "variant a: family"),
        ('family = "f"', 'family = " "', "variant a: family"),
        ("reasoning = true", "reasoning = 1", "variant a: reasoning"),
        ('aliases = ["an-a"]', 'aliases = "an-a"', "variant a: aliases"),
        ('aliases = ["an-a"]', "aliases = [3]", "variant a: aliases"),
        ('system_prompt = "s"', 'system_prompt = "none"', "variant a: system_prompt"),
        ('system_prompt = "s"', "system_prompt = 3", "variant a: system_prompt"),
        ("temperature = 0,", "temprature = 0,", "variant a: unknown key sampling.temprature"),
        ("top_k = 4", "top_k = 0.5", "variant a: sampling.top_k"),
        ("top_p = 0.9", 'top_p = "0.9"', "variant a: sampling.top_p"),
        ("layers = 1,", "", "variant a: the key dimensions.layers is missing"),
        ("tied = true", "tied = 1", "variant a: dimensions.tied"),
        ("head_size = 8", "head_dim = 8", "variant a: unknown key dimensions.head_dim"),
        ("MMLU = 50", 'MMLU = "50"', "variant a: scores.r.MMLU.value"),
        ("note = \"again\"", "footnote = 1", "variant a: unknown key scores.r.AIME 2024.footnote"),
        ("note = \"again\"", 'source = "s"', "variant a: unknown key scores.r.AIME 2024.source"),
        ("size_bytes = 7", "size = 7", r"variant a: unknown key gguf\[0\].files\[0\].size"),
        ("size_bytes = 7", "size_bytes = 7.5", r"variant a: gguf\[0\].files\[0\].size_bytes"),
        ('filename = "b.gguf", ', "", r"variant a: the key gguf\[0\].files\[1\].filename is missing"),
        ('{ license = "r", context', '{ license = 3, context', "variant b: provenance.license"),
        ('r = "example.org"', "r = 3", "the file: references.r"),
        ('s = "You are."', "s = []", "the file: system_prompts.s"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(IntegrityError, match=words):
        parse(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("temperature = 0,", "temperature = -1,", "variant a: sampling.temperature"),
        ("top_k = 4", "top_k = -4", "variant a: sampling.top_k"),
        ("top_p = 0.9", "top_p = 1.5", "variant a: sampling.top_p"),
        ("min_p = 0.1", "min_p = -0.1", "variant a: sampling.min_p"),
        ("parameters = 10", "parameters = 0", "variant a: parameters"),
        ("active_parameters = 5", "active_parameters = 11", "variant a: active_parameters"),
        ("context_tokens = 8", "context_tokens = 0", "variant a: context_tokens"),
        ("original_context_tokens = 4", "original_context_tokens = 9", "variant a: original_context_tokens"),
        ("layers = 1", "layers = 0", "variant a: dimensions.layers"),
        ("hidden = 32", "hidden = -1", "variant a: dimensions.hidden"),
        ("kv_heads = 2", "kv_heads = 3", "variant a: dimensions.kv_heads"),
        ("experts_used = 2", "experts_used = 5", "variant a: dimensions.experts_used"),
        (", experts_used = 2", "", "variant a: dimensions.experts_used"),
        (", experts = 4, experts_used = 2", "", "variant a: dimensions.experts"),
        ("active_parameters = 5\n", "", "variant a: dimensions.experts"),
        (", feed_forward = 5", "", "variant a: the key dimensions.feed_forward"),
        ('strength = "strong"\n', "", "variant a: the key strength"),
        ('best_use = "tests"\n', "", "variant a: the key best_use"),
        ('"multilingual"]', '"singing"]', "variant a: capabilities: 'singing'"),
        ('"multilingual"]', '"chat"]', "variant a: capabilities: something twice"),
        ('"multilingual"]', '"chats"]', "variant a: capabilities: 'chats'"),
        (', "multilingual"]', "]", "variant a: capabilities and languages"),
        ('languages = ["en", "de"]', 'languages = ["en"]', "variant a: capabilities and languages"),
        ("reasoning = true\n", "", "variant a: capabilities and reasoning"),
        ('"de"', '"deu"', "variant a: languages: 'deu'"),
        ('"de"', '"DE"', "variant a: languages: 'DE'"),
        ('"de"', '"en"', "variant a: languages: something twice"),
        ('["<|end|>"]', '["end"]', "variant a: stop_tokens: 'end'"),
        ("2025-02", "2025-13", "variant a: release"),
        ("2025-02", "2025-02-30", "variant a: release"),
        ("2025-02", "2025", "variant a: release"),
        ('"phi3"', '"phi9"', "variant a: architecture = 'phi9'"),
        ('"phi-3"', '"phi-9"', "variant a: prompt_format = 'phi-9'"),
        ('prompt_format = "phi-3"\n', "", "variant a: prompt_format"),
        ('stop_tokens = ["<|end|>"]\n', "", "variant a: the key stop_tokens"),
        ("sampling = {", "# {", "variant a: the key sampling"),
        ("dimensions = {", "# {", "variant a: the key dimensions"),
        ('repo = "o/a"\n', "", "variant a: the key repo"),
        ('runs_on = "llama.cpp"', 'runs_on = "vLLM"', "variant a: why_not and runs_on"),
        ('runs_on = "llama.cpp"', 'runs_on = "llama.cpp"\nwhy_not = "x"', "variant a: why_not and runs_on"),
        ('architecture = "phi3"\n', "", "variant a: prompt_format for a model that llama.cpp cannot run"),
        ('why_not = "nobody wrote it"\n', "", "variant b: the key why_not is missing"),
        ('runs_on = "vLLM"', 'runs_on = "llama.cpp"', "variant b: runs_on"),
        ('why_not = "n', 'prompt_format = "phi-3"\nwhy_not = "n', "variant b: prompt_format"),
        ('why_not = "n', 'sampling = { temperature = 1 }\nwhy_not = "n', "variant b: sampling"),
        ('why_not = "n', 'stop_tokens = ["<|end|>"]\nwhy_not = "n', "variant b: stop_tokens"),
        ('why_not = "n', 'packaged_file = "x"\nwhy_not = "n', "variant b: packaged_file"),
        (END, GGUF % ("o/b", "z.gguf") + END, "variant b: gguf"),
        (', context = "r", strength', ", strength", "variant b: provenance.context is missing"),
        ('release = "r", ', "", "variant a: provenance.release is missing"),
        ('languages = "r", ', "", "variant a: provenance.languages is missing"),
        ('dimensions = "r", ', "", "variant a: provenance.dimensions is missing"),
        ('system_prompt = "r", ', "", "variant a: provenance.system_prompt is missing"),
        ('sampling = "r", ', 'taste = "r", ', "variant a: provenance.taste"),
        ('release = "2025-02"\n', "", "variant a: provenance.release: there is no such fact"),
        ('license = "r", release', 'license = "x", release', "variant a: provenance.license = 'x'"),
        ("[variant.scores.r]", "[variant.scores.x]", "variant a: scores.x"),
        ("MMLU = 50", "MMLU = 101", "variant a: scores.r.MMLU = 101"),
        ("MMLU = 50", "MMLU = nan", "variant a: scores.r.MMLU"),
        ("MMLU = 50", "MMLU = 0", "variant a: scores.r.MMLU"),
        ('source = "r"', 'source = "x"', "variant a: gguf o/r: source = 'x'"),
        ('source = "r"\n', "", "variant a: gguf o/r: source"),
        ('repo = "o/r"', 'repo = "r"', "variant a: gguf r: repo is not owner/name"),
        ('revision = "01', 'revision = "v01', "variant a: gguf o/r: revision"),
        ('architecture = "llama"', 'architecture = "phi3"', "variant a: gguf o/r: architecture"),
        ('architecture = "llama"', 'architecture = "gpt2"', "variant a: gguf o/r: architecture"),
        ('"UD-Q4_K_XL"', '"Q8_0"', "variant a: gguf o/r: a quant twice"),
        ('"Q8_0"', '"q8_0"', "variant a: gguf o/r, a.gguf: quant = 'q8_0'"),
        ('"Q8_0"', '"7B"', "variant a: gguf o/r, a.gguf: quant = '7B'"),
        ('"a.gguf"', '"a.bin"', "variant a: gguf o/r, a.bin: filename"),
        ('"a.gguf"', '"../a.gguf"', "variant a: gguf o/r, ../a.gguf: filename"),
        ('sha256 = "01', 'sha256 = "', "variant a: gguf o/r, a.gguf: sha256"),
        ("size_bytes = 7", "size_bytes = 0", "variant a: gguf o/r, a.gguf: size_bytes"),
        ("size_approx_bytes = 10", "size_approx_bytes = 11", "variant a: gguf o/r, b.gguf: size_approx_bytes"),
        ("size_approx_bytes = 10", "size_approx_bytes = -10", "variant a: gguf o/r, b.gguf: size_approx_bytes"),
        ("size_bytes = 7", "size_bytes = 7, size_approx_bytes = 10_000_000", "size_approx_bytes beside size_bytes"),
        ('aliases = ["an-a"]', 'aliases = ["A"]', "variant a: aliases: the name A belongs to a already"),
        ('aliases = ["an-a"]', 'aliases = ["_B"]', "variant b: id: the name b belongs to a already"),
        ('aliases = ["an-a"]', 'aliases = ["x", "X"]', "variant a: aliases: the name X belongs to a already"),
        ('aliases = ["an-a"]', 'aliases = ["-"]', "variant a: aliases: '-' is no name"),
        ('id = "b"', 'id = "a"', "variant a: id = a twice"),
        (END, COPY_OF_A.replace("o/c", "O/R") + END, "variant c: gguf: the repo O/R twice"),
        (END, OTHER_FILES + END, "variant c: gguf: the sha256 0123456789abcdef.* twice"),
        (END, OTHER_FILES.replace("0123456789abcdef", "f" * 16).replace("d.gguf", "b.gguf") + END,
         "variant c: gguf: the filename b.gguf"),
        ('r = "example.org"', 'r = "example.org"\nq = "unused"', "the file: references.q is not used"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(old: str, new: str, words: str) -> None:
    book = parse(changed(old, new))
    with pytest.raises(IntegrityError, match=words):
        check(book)


def changed(old: str, new: str) -> str:
    """The small catalogue with the first ``old`` replaced."""
    assert old in SMALL
    return SMALL.replace(old, new, 1)


def test_squashed_names() -> None:
    assert squash("Phi_4-MINI") == squash("phi4mini") == squash("phi 4.mini")
    assert catalog() is catalog()


def test_nothing_in_it_can_be_changed() -> None:
    variant = parse(SMALL).variants[0]
    assert hash(variant) == hash(parse(SMALL).variants[0])
    assert hash(parse(SMALL)) == hash(parse(SMALL))
    with pytest.raises(TypeError):
        variant.provenance["license"] = "x"  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        variant.license = "x"  # type: ignore[misc]
