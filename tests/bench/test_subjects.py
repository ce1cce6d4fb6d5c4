"""What is measured, as it was typed: files, and the adapters that are used with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from phicli.adapters.adding import add
from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.preparing import EvalOptions, prepare
from phicli.bench.launch import start
from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.subjects import locate_with_adapters, subjects
from phicli.catalog.display_name import name_of
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Adapter
from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.hardware.types import Cpu
from phicli.jobs.notices import Notices
from phicli.records.run import Subject
from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf


@pytest.fixture
def loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that has a name, ``ten-facts``."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    path = write_gguf(tmp_path / "loud.gguf")
    add(path, name="ten-facts")
    return path


def label(typed: str, *adapters: Adapter) -> str:
    (one,) = subjects([typed], adapters=adapters)
    return name_of(one)


def test_adapters_belong_to_what_is_measured(loud: Path) -> None:
    plain, half = subjects(["tiny-phi", "tiny-phi+ten-facts:0.5"])
    (adapter,) = half.adapters
    assert (plain.adapters, half.path, half.model) == ((), plain.path, "tiny-phi")
    assert (adapter.name, adapter.path, adapter.scale) == ("ten-facts", loud, 0.5)
    assert (adapter.size_bytes, adapter.sha256) == (loud.stat().st_size, hashlib.sha256(loud.read_bytes()).hexdigest())
    assert half.used_adapters == (Adapter(loud, 0.5),)
    assert half.to_data()["adapters"][0]["path"] == str(loud)


def test_labels(loud: Path, tmp_path: Path) -> None:
    other = write_gguf(tmp_path / "other.gguf")
    assert label("tiny-phi+Ten_Facts") == "tiny-phi:f16+ten-facts"
    assert label(f"tiny-phi+ten-facts:0.5+{other}") == "tiny-phi:f16+ten-facts:0.5+other.gguf"
    assert label("tiny-phi+ten-facts", Adapter(other)) == "tiny-phi:f16+other.gguf+ten-facts"
    assert label(f"{TINY_PHI}+ten-facts") == f"{TINY_PHI.name}+ten-facts"


def test_what_is_typed_again_means_the_same(loud: Path, tmp_path: Path) -> None:
    other = write_gguf(tmp_path / "other.gguf")
    (one,) = subjects([f"tiny-phi+ten-facts:0.5+{other}"])
    assert [adapter.typed for adapter in one.adapters] == ["ten-facts:0.5", str(other)]


def test_the_same_file_with_other_adapters_is_something_else(loud: Path) -> None:
    said: list[str] = []
    found = subjects(["tiny-phi", "tiny-phi+ten-facts", f"tiny-phi+{loud}:1", "tiny-phi+ten-facts:2"], tell=said.append)
    assert [[one.scale for one in subject.adapters] for subject in found] == [[], [1.0], [2.0]]
    assert said == ["tiny-phi+ten-facts is the same file as tiny-phi+ten-facts: it is measured only once"]


@pytest.mark.parametrize(
    ("typed", "error", "words"),
    [
        ("tiny-phi+tne-facts", NotFoundError, "did you mean ten-facts?"),
        ("tiny-fi+ten-facts", NotFoundError, "did you mean tiny-phi?"),
        ("tiny-phi+ten-facts:loud", UsageError, "not a number"),
        ("tiny-phi+ten-facts+ten-facts:2", UsageError, "given twice"),
        ("tiny-phi+", UsageError, "the name of the adapter is empty"),
        ("+ten-facts", UsageError, "the name of the model is empty"),
        ("./c++/gone.gguf", NotFoundError, "c++/gone.gguf"),
    ],
)
def test_what_does_not_exist(loud: Path, typed: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        subjects([typed])
    assert words in f"{caught.value} {getattr(caught.value, 'hint', '')}"


def test_models_with_commas_between_them() -> None:
    with pytest.raises(NotFoundError) as caught:
        subjects(["tiny-phi,phi-4"])
    assert caught.value.hint_for("bench") == "separate models with spaces: phi bench tiny-phi phi-4"


def test_an_adapter_is_given_to_all_models_and_once_more_to_one(loud: Path) -> None:
    with pytest.raises(UsageError, match="given twice"):
        subjects(["tiny-phi+ten-facts"], adapters=[Adapter(loud, 0.5)])


def test_a_model_without_the_adapters_of_all_others(loud: Path) -> None:
    found = subjects(["tiny-phi+none", "tiny-phi"], adapters=[Adapter(loud)])
    assert [name_of(one) for one in found] == ["tiny-phi:f16", "tiny-phi:f16+ten-facts"]


def test_files_of_the_same_name_are_called_by_their_paths(loud: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, two = write_gguf(tmp_path / "style.gguf"), write_gguf(tmp_path / "other" / "style.gguf", tensors(seed=2))
    found = subjects([f"tiny-phi+{one}", f"tiny-phi+{two}:0.5", "tiny-phi+ten-facts"])
    assert [name_of(subject) for subject in found] == [
        f"tiny-phi:f16+{one}", f"tiny-phi:f16+{two}:0.5", "tiny-phi:f16+ten-facts"
    ]  # fmt: skip
    assert found[1].adapters[0].typed == f"{two}:0.5"


def test_a_file_that_really_has_the_name(loud: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny-phi+ten-facts").symlink_to(TINY_PHI)
    located, adapters = locate_with_adapters("tiny-phi+ten-facts")
    assert (located.path.name, adapters) == ("tiny-phi+ten-facts", ())


def test_a_file_that_changes_meanwhile(loud: Path) -> None:
    (subject,) = subjects(["tiny-phi+ten-facts"])
    subject.adapters[0].check()
    loud.write_bytes(loud.read_bytes() + b"\0")
    said = "the adapter ten-facts has changed"
    with pytest.raises(IntegrityError, match=said):
        subject.adapters[0].check()
    with pytest.raises(IntegrityError, match=said), start(subject, EngineSettings(threads=1), 256):
        pass
    asked = read_items(b'{"question": "1?", "compare": "exact", "answer": "x"}', "test")
    around = Surroundings(Cpu("Some CPU", 2, 2), None, (), "Linux", None)
    plan = prepare(subject, asked, EvalOptions("test"), around)
    with pytest.raises(IntegrityError, match=said), plan.opened(Notices(print)):
        pass


def test_without_names_all_models_get_the_adapters(loud: Path) -> None:
    found: tuple[Subject, ...] = subjects([], adapters=[Adapter(loud, 0.5)])
    assert [name_of(one) for one in found] == ["tiny-phi:f16+ten-facts:0.5"]
